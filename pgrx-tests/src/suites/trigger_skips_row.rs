//! Rows that a trigger of a user skips: the trigger returns NULL, so Postgres neither writes the row nor raises an
//! error.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{dead_machine, expect, expect_state, id, team};
use crate::context::Context;

/// The tests of this topic, whose results do not depend on the version of Postgres.
pub const AT_HOME: &[(&str, Suite)] = suite![
    skipped_rows_do_not_block_sweep,
    skipped_runtimes_do_not_block_collection,
    skipped_runtime_row_is_an_error,
    skipped_task_insert_is_an_error,
    skipped_transition_is_an_error,
    skipped_reader_position_is_an_error,
    merge_counts_skipped_runtime,
    changed_id_of_a_claimed_task_is_an_error,
];

/// Creates a trigger that skips these rows of a table.
fn skip_rows(client: &mut Client, when: &str, table: &str, condition: &str) -> Result<()> {
    client.batch_execute(&format!(
        "CREATE OR REPLACE FUNCTION skip_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER skip_row BEFORE {when} ON {table} FOR EACH ROW {condition} EXECUTE FUNCTION skip_row()"
    ))?;
    Ok(())
}

/// Fails unless a call raises the error for a skipped row.
fn expect_skipped_row(client: &mut Client, call: &str) -> Result<()> {
    let error = client.batch_execute(&format!("SELECT FROM {call}")).expect_err("a trigger skips the row");
    let word = error.as_db_error().and_then(|it| it.constraint());
    ensure!(word == Some("row_kept_out"), "{call}: {error:?}");
    Ok(())
}

/// There are more skipped rows than a batch has, and they come first in its order. If a sweep did not mark them, each
/// batch would take the same rows.
fn skipped_rows_do_not_block_sweep(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT w.id, 'skipped-' || n, 'skipped', 'local', 'claude', 'online', now() - interval '2 hours'
         FROM generate_series(1, 5) AS n, (SELECT id FROM workspace ORDER BY id LIMIT 1) AS w;
         SET multica.batch_size = 2",
    )?;
    skip_rows(&mut client, "UPDATE", "agent_runtime", "WHEN (OLD.name = 'skipped')")?;
    let task = format!("WHEN (OLD.id = {})", id("e1"));
    skip_rows(&mut client, "UPDATE", "agent_task_queue", &task)?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(
        &mut client,
        "SELECT right(t.id::text, 2)
         FROM agent_task_queue AS t
         JOIN agent_runtime AS r ON r.id = t.runtime_id
         WHERE t.status IN ('dispatched', 'running') AND r.status = 'offline'",
        "e1",
    )?;
    expect(
        &mut client,
        "SELECT cardinality(refused_ids), last_error LIKE 'skips%a trigger keeps the row%' FROM multica_status()",
        "6 t",
    )
}

/// A trigger can skip a deletion to mark the row as deleted instead. There are more skipped runtimes than a batch has,
/// and they come first in its order.
fn skipped_runtimes_do_not_block_collection(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT w.id, 'old-' || n, CASE WHEN n < 5 THEN 'skipped' ELSE 'old' END, 'local', 'claude', 'offline',
             now() - make_interval(days => 100 - n)
         FROM generate_series(1, 8) AS n, (SELECT id FROM workspace ORDER BY id LIMIT 1) AS w;
         SET multica.batch_size = 2",
    )?;
    skip_rows(&mut client, "DELETE", "agent_runtime", "WHEN (OLD.name = 'skipped')")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(
        &mut client,
        "SELECT count(*) FILTER (WHERE name = 'old'), count(*) FILTER (WHERE name = 'skipped') FROM agent_runtime",
        "0 4",
    )
}

/// Without an error the caller of a heartbeat or a deletion would take it for done.
fn skipped_runtime_row_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!("UPDATE agent SET runtime_id = {} WHERE runtime_id = {}", id("b2"), id("b3"),))?;
    skip_rows(&mut client, "UPDATE OR DELETE", "agent_runtime", "")?;
    for call in ["multica_heartbeat", "multica_delete_runtime"] {
        expect_skipped_row(&mut client, &format!("{call}({})", id("b3")))?;
    }
    Ok(())
}

/// With an error that is worth a retry the caller would repeat the call for ever.
fn skipped_task_insert_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    skip_rows(&mut client, "INSERT", "agent_task_queue", "")?;
    for (call, of) in [("multica_enqueue", "c1"), ("multica_enqueue_issue", "d1"), ("multica_enqueue_chat", "51")] {
        expect_skipped_row(&mut client, &format!("{call}({})", id(of)))?;
    }
    Ok(())
}

/// With the error for a wrong status a daemon would give up its task.
fn skipped_transition_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'dispatched'); SELECT task('e2', agent => 'c2', status => 'running')",
    )?;
    skip_rows(&mut client, "UPDATE", "agent_task_queue", "")?;
    for call in [
        format!("multica_start({})", id("e1")),
        format!("multica_complete({})", id("e2")),
        format!("multica_fail({}, 'boom')", id("e2")),
        format!("multica_cancel({})", id("e2")),
    ] {
        expect_skipped_row(&mut client, &call)?;
    }
    Ok(())
}

/// Without an error a named reader whose position is not written would take the same events for ever.
fn skipped_reader_position_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_take_events('mirror'); SELECT FROM multica_enqueue({})",
        id("c1")
    ))?;
    skip_rows(&mut client, "UPDATE", "multica_event_reader", "")?;
    expect_skipped_row(&mut client, "multica_take_events('mirror')")
}

/// Agents and tasks are moved, and the old runtime, which stays, is counted in `not_merged`.
fn merge_counts_skipped_runtime(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    skip_rows(&mut client, "DELETE", "agent_runtime", "")?;
    expect(
        &mut client,
        &format!(
            "SELECT merged, not_merged, agents_reassigned FROM multica_merge_legacy({}, 'claude', 'old-name', {})",
            id("a1"),
            id("b1")
        ),
        "0 1 1",
    )
}

/// A trigger gives a task another id while it is claimed.
fn changed_id_of_a_claimed_task_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "CREATE FUNCTION change_id() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN NEW.id := gen_random_uuid(); RETURN NEW; END $$;
         CREATE TRIGGER change_id BEFORE UPDATE OF status ON agent_task_queue FOR EACH ROW EXECUTE FUNCTION change_id();
         SELECT FROM multica_enqueue({})",
        id("c1")
    ))?;
    expect_state(&mut client, &format!("SELECT FROM multica_claim({})", id("b1")), "55000")
}

//! Rows that a trigger keeps out of a table, or as they are, by returning NULL: no error tells of them.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{dead_machine, expect, id, team};
use crate::context::Context;

/// The tests of this topic: the version of Postgres cannot change what they see.
pub const AT_HOME: &[(&str, Suite)] = suite![
    skipped_rows_do_not_block_sweep,
    skipped_runtimes_do_not_block_collection,
    skipped_runtime_row_is_an_error,
    skipped_task_insert_is_an_error,
    skipped_transition_is_an_error,
    skipped_reader_position_is_an_error,
    merge_counts_skipped_runtime,
];

/// Has a trigger keep these rows of a table.
fn keep(client: &mut Client, when: &str, table: &str, condition: &str) -> Result<()> {
    client.batch_execute(&format!(
        "CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER keep BEFORE {when} ON {table} FOR EACH ROW {condition} EXECUTE FUNCTION keep()"
    ))?;
    Ok(())
}

/// Fails unless a call says that a row was kept.
fn expect_kept(client: &mut Client, call: &str) -> Result<()> {
    let error = client.batch_execute(&format!("SELECT FROM {call}")).expect_err("a trigger keeps the row");
    let word = error.as_db_error().and_then(|it| it.constraint());
    ensure!(word == Some("row_kept_out"), "{call}: {error:?}");
    Ok(())
}

/// As many machines and tasks as a batch has rows, which come first.
fn skipped_rows_do_not_block_sweep(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT w.id, 'kept-' || n, 'kept', 'local', 'claude', 'online', now() - interval '2 hours'
         FROM generate_series(1, 5) AS n, (SELECT id FROM workspace ORDER BY id LIMIT 1) AS w;
         SET multica.batch_size = 2",
    )?;
    keep(&mut client, "UPDATE", "agent_runtime", "WHEN (OLD.name = 'kept')")?;
    let task = format!("WHEN (OLD.id = {})", id("e1"));
    keep(&mut client, "UPDATE", "agent_task_queue", &task)?;
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

/// As a trigger does that marks a row as deleted instead. As many as a batch has rows, which come first.
fn skipped_runtimes_do_not_block_collection(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT w.id, 'old-' || n, CASE WHEN n < 5 THEN 'kept' ELSE 'old' END, 'local', 'claude', 'offline',
             now() - make_interval(days => 100 - n)
         FROM generate_series(1, 8) AS n, (SELECT id FROM workspace ORDER BY id LIMIT 1) AS w;
         SET multica.batch_size = 2",
    )?;
    keep(&mut client, "DELETE", "agent_runtime", "WHEN (OLD.name = 'kept')")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(
        &mut client,
        "SELECT count(*) FILTER (WHERE name = 'old'), count(*) FILTER (WHERE name = 'kept') FROM agent_runtime",
        "0 4",
    )
}

/// A heartbeat and a deletion.
fn skipped_runtime_row_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!("UPDATE agent SET runtime_id = {} WHERE runtime_id = {}", id("b2"), id("b3"),))?;
    keep(&mut client, "UPDATE OR DELETE", "agent_runtime", "")?;
    for call in ["multica_heartbeat", "multica_delete_runtime"] {
        expect_kept(&mut client, &format!("{call}({})", id("b3")))?;
    }
    Ok(())
}

/// Whoever is told to repeat the call does so.
fn skipped_task_insert_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    keep(&mut client, "INSERT", "agent_task_queue", "")?;
    for (call, of) in [("multica_enqueue", "c1"), ("multica_enqueue_issue", "d1"), ("multica_enqueue_chat", "51")] {
        expect_kept(&mut client, &format!("{call}({})", id(of)))?;
    }
    Ok(())
}

/// A daemon that is told of a wrong state gives the task up.
fn skipped_transition_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'dispatched'); SELECT task('e2', agent => 'c2', status => 'running')",
    )?;
    keep(&mut client, "UPDATE", "agent_task_queue", "")?;
    for call in [
        format!("multica_start({})", id("e1")),
        format!("multica_complete({})", id("e2")),
        format!("multica_fail({}, 'boom')", id("e2")),
        format!("multica_cancel({})", id("e2")),
    ] {
        expect_kept(&mut client, &call)?;
    }
    Ok(())
}

/// The position of a named reader.
fn skipped_reader_position_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_take_events('mirror'); SELECT FROM multica_enqueue({})",
        id("c1")
    ))?;
    keep(&mut client, "UPDATE", "multica_event_reader", "")?;
    expect_kept(&mut client, "multica_take_events('mirror')")
}

/// Agents and tasks move, and the old runtime is counted among those that stay.
fn merge_counts_skipped_runtime(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    keep(&mut client, "DELETE", "agent_runtime", "")?;
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

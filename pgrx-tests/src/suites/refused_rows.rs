//! Rows that cannot be written or deleted because a row, trigger or constraint of a user prevents it. Such a row delays
//! no other row.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{dead_machine, expect, expect_state, id, value};
use crate::context::Context;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    referenced_event_does_not_block_verdicts,
    deferred_foreign_key_does_not_block_verdicts,
    deferred_constraints_of_caller_stay_deferred,
    unreferenced_event_is_trimmed_later,
    referenced_runtime_is_skipped,
    task_refused_by_trigger_delays_only_itself,
    row_refused_with_custom_sqlstate_is_skipped,
    server_error_fails_sweep_and_refuses_no_row,
    log_that_another_session_restarts_refuses_no_row,
    many_refusals_use_few_subtransactions,
    many_refused_runtimes_do_not_block_sweep,
    usual_sweep_opens_one_subtransaction,
    check_constraint_refuses_only_its_row,
    single_stage_functions_skip_refused_rows,
    refused_merge_does_not_block_registration,
    refused_orphan_does_not_block_registration,
    deletion_error_names_referencing_table,
];

const SWEEP: &str = "SELECT runtimes_offline > 0, tasks_failed > 0, runtimes_deleted FROM multica_sweep()";

/// The result of a sweep of the fixture, with no runtime collected.
const VERDICTS: &str = "t t 0";

/// Five events that are one year old. A table of the user refers to one event.
fn old_events(client: &mut Client, key: &str) -> Result<()> {
    client.batch_execute(&format!(
        "INSERT INTO multica_event_log (created_at, type, payload)
         SELECT now() - interval '1 year', 'old', '{{}}' FROM generate_series(1, 5);
         CREATE TABLE audit (event_id bigint REFERENCES multica_event_log {key});
         INSERT INTO audit SELECT id FROM multica_event_log WHERE type = 'old' ORDER BY id OFFSET 2 LIMIT 1"
    ))?;
    Ok(())
}

/// Creates a trigger that does this for task …e1 alone.
fn refuse_e1(client: &mut Client, what: &str) -> Result<()> {
    client.batch_execute(&format!(
        "CREATE FUNCTION refuse_e1() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.id = {e1} THEN {what} END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse_e1 BEFORE UPDATE ON agent_task_queue FOR EACH ROW EXECUTE FUNCTION refuse_e1()",
        e1 = id("e1"),
    ))?;
    Ok(())
}

fn expect_in_flight(client: &mut Client, expected: &str) -> Result<()> {
    let sql = "SELECT string_agg(right(id::text, 2), ' ' ORDER BY id) FROM agent_task_queue
               WHERE status IN ('dispatched', 'running')";
    expect(client, sql, expected)
}

fn referenced_event_does_not_block_verdicts(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    old_events(&mut client, "")?;
    expect(&mut client, SWEEP, VERDICTS)?;
    expect_in_flight(&mut client, "")?;
    expect(
        &mut client,
        "SELECT count(*) = 1 AND min(e.id) = max(a.event_id) AND min(e.id) < max(s.events_trimmed_to)
         FROM multica_event_log AS e, audit AS a, multica_sweep_state AS s WHERE e.type = 'old'",
        "t",
    )?;
    expect(
        &mut client,
        "SELECT s.refused_event_ids = ARRAY[a.event_id], s.last_error LIKE 'skips event%SQLSTATE 23503%audit%'
         FROM multica_status() AS s, audit AS a",
        "t t",
    )
}

fn deferred_foreign_key_does_not_block_verdicts(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    old_events(&mut client, "DEFERRABLE INITIALLY DEFERRED")?;
    expect(&mut client, SWEEP, VERDICTS)?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log WHERE type = 'old'", "1")?;
    expect_in_flight(&mut client, "")
}

/// Deferred constraints of the caller are neither checked early nor counted against a row of the sweep, and stay
/// deferred after it.
fn deferred_constraints_of_caller_stay_deferred(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "CREATE TABLE bill (id int PRIMARY KEY);
         CREATE TABLE item (bill_id int REFERENCES bill DEFERRABLE INITIALLY DEFERRED)",
    )?;
    client.batch_execute("BEGIN; INSERT INTO item VALUES (1)")?;
    expect(&mut client, SWEEP, VERDICTS)?;
    client.batch_execute("INSERT INTO item VALUES (2); INSERT INTO bill VALUES (1), (2); COMMIT")?;
    expect(&mut client, "SELECT last_error IS NULL FROM multica_status()", "t")?;
    expect_in_flight(&mut client, "")?;
    client.batch_execute(
        "BEGIN; SELECT FROM multica_sweep(); INSERT INTO item VALUES (3); INSERT INTO bill VALUES (3); COMMIT",
    )?;
    Ok(())
}

/// A refused event is tried again after `refused_until`, although later events have been trimmed since.
fn unreferenced_event_is_trimmed_later(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    old_events(&mut client, "")?;
    client.batch_execute("SELECT FROM multica_sweep(); DROP TABLE audit; SELECT FROM multica_sweep()")?;
    let old = "SELECT count(*) FROM multica_event_log WHERE type = 'old'";
    expect(&mut client, old, "1")?;
    client.batch_execute(
        "UPDATE multica_sweep_state SET refused_until = now() - interval '1 s'; SELECT FROM multica_sweep()",
    )?;
    expect(&mut client, old, "0")?;
    expect(&mut client, "SELECT refused_event_ids FROM multica_status()", "{}")
}

fn referenced_runtime_is_skipped(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "SET multica.runtime_ttl = '1d';
         INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT ('00000000-0000-4000-8000-0000000000b' || n)::uuid, {a1}, 'gone-' || n, 'gone', 'local', 'claude', 'offline',
                now() - interval '1 year'
         FROM generate_series(4, 7) AS n;
         CREATE TABLE squad (runtime_id uuid REFERENCES agent_runtime);
         INSERT INTO squad VALUES ({b5})",
        a1 = id("a1"),
        b5 = id("b5"),
    ))?;
    expect(&mut client, SWEEP, "t t 3")?;
    expect_in_flight(&mut client, "")?;
    expect(&mut client, &format!("SELECT refused_ids = ARRAY[{}::uuid] FROM multica_status()", id("b5")), "t")?;
    client.batch_execute("TRUNCATE squad; UPDATE multica_sweep_state SET refused_until = now() - interval '1 s'")?;
    expect(&mut client, "SELECT runtimes_deleted FROM multica_sweep()", "1")
}

fn task_refused_by_trigger_delays_only_itself(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    refuse_e1(&mut client, "RAISE EXCEPTION 'not this one';")?;
    expect(&mut client, SWEEP, VERDICTS)?;
    expect_in_flight(&mut client, "e1")?;
    expect(
        &mut client,
        &format!(
            "SELECT s.refused_ids = ARRAY[{e1}::uuid],
                 s.last_error LIKE 'skips ' || {e1} || ' for a while: not this one (SQLSTATE P0001)%'
             FROM multica_status() AS s",
            e1 = id("e1")
        ),
        "t t",
    )?;
    // Failed tasks have an event, and the others have none.
    expect(
        &mut client,
        "SELECT count(*) FROM agent_task_queue AS t
         FULL JOIN multica_event_log AS e ON e.type = 'task:failed' AND e.payload ->> 'task_id' = t.id::text
         WHERE (t.status = 'failed') IS DISTINCT FROM (e.type = 'task:failed') AND t.status <> 'completed'
           AND (t.status <> 'queued' AND t.id <> '00000000-0000-4000-8000-0000000000e1' OR e.id IS NOT NULL)",
        "0",
    )?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect_in_flight(&mut client, "e1")
}

/// A SQLSTATE that Postgres does not define can only come from the code of a user.
fn row_refused_with_custom_sqlstate_is_skipped(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    refuse_e1(&mut client, "RAISE EXCEPTION 'own' USING ERRCODE = 'MY001';")?;
    expect(&mut client, SWEEP, VERDICTS)?;
    expect_in_flight(&mut client, "e1")?;
    expect(&mut client, "SELECT last_error LIKE '%own (SQLSTATE MY001)%' FROM multica_status()", "t")
}

/// A full disk, a cancel, or a serialization failure is not caused by a row. The call fails with this error, and no row
/// is refused.
fn server_error_fails_sweep_and_refuses_no_row(context: &Context) -> Result<()> {
    for state in ["53100", "57014", "40001", "XX000", "58030"] {
        let (_database, mut client) = dead_machine(context)?;
        refuse_e1(&mut client, &format!("RAISE EXCEPTION 'trouble' USING ERRCODE = '{state}';"))?;
        expect_state(&mut client, "SELECT FROM multica_sweep()", state)?;
        expect(&mut client, "SELECT refused_ids FROM multica_status()", "{}")?;
    }
    Ok(())
}

/// Returns the transaction ids that a sweep takes: one id, and one for each subtransaction that writes.
fn ids_taken(client: &mut Client, sweep: &str) -> Result<i64> {
    let now = "SELECT pg_snapshot_xmax(pg_current_snapshot())";
    let before: i64 = value(client, now)?.parse()?;
    client.batch_execute(sweep)?;
    let after: i64 = value(client, now)?.parse()?;
    Ok(after - before)
}

fn usual_sweep_opens_one_subtransaction(context: &Context) -> Result<()> {
    let cluster = context.cluster(&crate::cluster::Options::new("ids"))?;
    let database = context.fresh_database_in(&cluster)?;
    database.fixture("dead_machine")?;
    let mut client = database.connect()?;
    old_events(&mut client, "")?;
    client.batch_execute("TRUNCATE audit")?;
    let taken = ids_taken(&mut client, "SELECT FROM multica_sweep()")?;
    ensure!(taken == 2, "a sweep with work takes {taken} ids");
    let taken = ids_taken(&mut client, "SELECT FROM multica_sweep()")?;
    ensure!(taken == 0, "an idle sweep takes {taken} ids");
    Ok(())
}

/// The ids of the log are behind its rows, and another session restarts the log for longer than lock_timeout. The sweep
/// fails as a whole, instead of passing over the rows whose events it could not record.
fn log_that_another_session_restarts_refuses_no_row(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    let mut other = database.connect()?;
    client.batch_execute(
        "INSERT INTO multica_event_log (created_at, type, payload) SELECT now(), 'former', '{}' FROM generate_series(1, 5);
         SELECT setval('multica_event_log_id_seq', 1); SET lock_timeout = '100ms'",
    )?;
    other.batch_execute(
        "BEGIN; SELECT pg_advisory_xact_lock('pg_class'::regclass::oid::bigint::integer,
             'multica_event_log'::regclass::oid::bigint::integer)",
    )?;
    expect_state(&mut client, SWEEP, "55P03")?;
    expect_state(&mut client, "SELECT FROM multica_mark_stale_runtimes_offline(60)", "55P03")?;
    other.batch_execute("COMMIT")?;
    expect(&mut client, SWEEP, VERDICTS)?;
    expect_in_flight(&mut client, "")
}

/// A hundred tasks are refused. The sweep finds and records ten of them, and so few subtransactions write rows that no
/// snapshot overflows.
fn many_refusals_use_few_subtransactions(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "INSERT INTO agent_task_queue (agent_id, runtime_id, status, priority, dispatched_at, started_at, max_attempts)
         SELECT {c1}, {b1}, 'running', n % 2, now() - interval '1 hour', now() - interval '1 hour', 1
         FROM generate_series(1, 200) AS n;
         CREATE FUNCTION refuse_half() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.priority = 1 THEN RAISE EXCEPTION 'every other one'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse_half BEFORE UPDATE ON agent_task_queue FOR EACH ROW EXECUTE FUNCTION refuse_half();
         BEGIN;
         SELECT FROM multica_sweep()",
        c1 = id("c1"),
        b1 = id("b1"),
    ))?;
    let kept: i64 = value(
        &mut client,
        "SELECT count(DISTINCT xmin::text) FROM (
             SELECT xmin FROM agent_task_queue UNION ALL SELECT xmin FROM agent_runtime
             UNION ALL SELECT xmin FROM multica_event_log UNION ALL SELECT xmin FROM multica_sweep_state
         ) AS written WHERE pg_current_xact_id()::xid IS DISTINCT FROM xmin AND age(xmin) < 0",
    )?
    .parse()
    .context("a number")?;
    ensure!((1..=32).contains(&kept), "{kept} subtransactions have written rows");
    client.batch_execute("COMMIT")?;
    expect(&mut client, "SELECT cardinality(refused_ids) FROM multica_status()", "10")
}

fn check_constraint_refuses_only_its_row(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "ALTER TABLE agent_task_queue ADD CHECK (id <> {e1} OR status <> 'failed')",
        e1 = id("e1"),
    ))?;
    expect(&mut client, SWEEP, VERDICTS)?;
    expect_in_flight(&mut client, "e1")
}

fn single_stage_functions_skip_refused_rows(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    refuse_e1(&mut client, "RAISE EXCEPTION 'not this one';")?;
    client.batch_execute(&format!(
        "CREATE TABLE squad (runtime_id uuid REFERENCES agent_runtime);
         INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT ('00000000-0000-4000-8000-0000000000b' || n)::uuid, {a1}, 'gone-' || n, 'gone', 'local', 'claude', 'offline',
                now() - interval '1 year'
         FROM generate_series(4, 5) AS n;
         INSERT INTO squad VALUES ({b5})",
        a1 = id("a1"),
        b5 = id("b5"),
    ))?;
    for (stage, rows) in [
        ("multica_mark_stale_runtimes_offline(45)", "1"),
        ("multica_fail_stale_tasks(1, 1)", "9"),
        ("multica_fail_tasks_for_offline_runtimes()", "0"),
        ("multica_delete_stale_offline_runtimes(86400)", "1"),
    ] {
        expect(&mut client, &format!("SELECT count(*) FROM {stage}"), rows)?;
    }
    expect(
        &mut client,
        "SELECT string_agg(right(r.id::text, 2), ' ' ORDER BY r.id) FROM multica_status() AS s, unnest(s.refused_ids) AS r (id)",
        "b5 e1",
    )
}

/// machine-3 was called old-name before, and a table of the user refers to the old runtime. The agents and tasks are
/// moved, and the row of the old runtime stays.
fn refused_merge_does_not_block_registration(context: &Context) -> Result<()> {
    for key in ["", "DEFERRABLE INITIALLY DEFERRED"] {
        let (_database, mut client) = dead_machine(context)?;
        client.batch_execute(&format!(
            "CREATE TABLE squad (runtime_id uuid REFERENCES agent_runtime {key});
             INSERT INTO squad VALUES ({b3})",
            b3 = id("b3"),
        ))?;
        let register = format!(
            "SELECT inserted, merged, not_merged FROM multica_register({a1}, '{{\"daemon_id\": \"machine-3\", \
             \"legacy_daemon_ids\": [\"old-name\"], \"runtimes\": [{{\"type\": \"claude\"}}]}}')",
            a1 = id("a1"),
        );
        expect(&mut client, &register, "t 0 1")?;
        expect(&mut client, &register, "f 0 1")?;
        expect(
            &mut client,
            "SELECT r.daemon_id FROM agent AS a JOIN agent_runtime AS r ON r.id = a.runtime_id WHERE a.name = 'Cy'",
            "machine-3",
        )?;
        client.batch_execute("TRUNCATE squad")?;
        expect(&mut client, &register, "f 1 0")?;
        client.batch_execute(&format!("INSERT INTO squad VALUES ({})", id("b1")))?;
        let merge = format!(
            "SELECT m.merged, m.agents_reassigned, m.not_merged
             FROM agent_runtime AS r, multica_merge_legacy({a1}, 'claude', 'machine-1', r.id) AS m
             WHERE r.daemon_id = 'machine-3'",
            a1 = id("a1"),
        );
        expect(&mut client, &merge, "0 2 1")?;
    }
    Ok(())
}

fn refused_orphan_does_not_block_registration(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    refuse_e1(&mut client, "RAISE EXCEPTION 'not this one';")?;
    let register = format!(
        "SELECT inserted FROM multica_register({a1}, '{{\"daemon_id\": \"machine-1\", \"recover\": true, \
         \"runtimes\": [{{\"type\": \"claude\"}}]}}')",
        a1 = id("a1"),
    );
    expect(&mut client, &register, "f")?;
    expect_in_flight(&mut client, "e1 e8")?;
    expect(&mut client, &format!("SELECT orphaned FROM multica_recover_orphans({})", id("b1")), "0")
}

fn deletion_error_names_referencing_table(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "CREATE TABLE squad (runtime_id uuid REFERENCES agent_runtime, agent_id uuid REFERENCES agent,
                             reader text REFERENCES multica_event_reader);
         SELECT FROM multica_take_events('billing');
         INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status)
         VALUES ({b4}, {a1}, 'unused', 'unused', 'local', 'claude', 'offline');
         INSERT INTO squad VALUES ({b4}, {c4}, 'billing')",
        a1 = id("a1"),
        b4 = id("b4"),
        c4 = id("c4"),
    ))?;
    for call in [
        format!("multica_delete_runtime({})", id("b4")),
        format!("multica_delete_archived_agents({})", id("b1")),
        "multica_forget_reader('billing')".to_string(),
    ] {
        let refused = client.batch_execute(&format!("SELECT {call}")).err();
        let refused = refused.with_context(|| format!("{call} succeeds"))?;
        let error = refused.as_db_error().context("an error of the server")?;
        ensure!(
            error.code().code() == "55006"
                && error.message().ends_with("cannot be deleted: other rows refer to it")
                && error.detail().is_some_and(|text| text.contains("\"squad\"")),
            "{call}: {error:?}"
        );
    }
    Ok(())
}

/// The refused runtimes have been silent for longest, so that each sweep takes them first.
fn many_refused_runtimes_do_not_block_sweep(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT w.id, 'refused-' || n, '', 'local', 'claude', 'online', now() - interval '2 hours'
         FROM generate_series(1, 60) AS n, (SELECT id FROM workspace ORDER BY id LIMIT 1) AS w;
         ALTER TABLE agent_runtime ADD CONSTRAINT named CHECK (name <> '') NOT VALID",
    )?;
    let others = "SELECT count(*) FROM agent_runtime
                  WHERE status = 'online' AND name <> '' AND last_seen_at < now() - interval '10 minutes'";
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(&mut client, others, "0")?;
    expect(&mut client, "SELECT cardinality(refused_ids) FROM multica_status()", "60")
}

//! The worker and `multica_sweep_all` commit verdicts and housekeeping in separate transactions, because an error of
//! housekeeping must not roll back verdicts.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::crash::{SWEEP_ALL, fleet};
use super::support::{LIMIT, dead_machine, expect, expect_state, hold_stop, id, start, value};
use super::worker::{alter, silence, switch_on, ticking, wait_for, wait_until_swept};
use crate::cluster::{Cluster, Options};
use crate::context::Context;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    housekeeping_error_rolls_back_no_verdict,
    constraint_failure_at_commit_rolls_back_no_verdict,
    verdicts_of_all_batches_come_before_housekeeping,
    kill_between_verdicts_and_housekeeping_loses_neither,
    sweep_in_two_transactions_is_counted_once,
    idle_sweep_uses_one_transaction,
    worker_verdicts_are_visible_during_housekeeping,
    worker_does_not_back_off_after_housekeeping_error,
    metrics_count_refused_rows,
];

/// Returns the number of tasks in flight, and the totals of the sweeps.
const FIGURES: &str = "
    SELECT (SELECT count(*) FROM agent_task_queue WHERE status IN ('dispatched', 'running')), total_sweeps,
        total_tasks_failed > 0, total_runtimes_deleted, last_tasks_failed > 0, last_runtimes_deleted
    FROM multica_status()";

/// Inserts a runtime that is due for collection.
fn expired(client: &mut Client) -> Result<()> {
    client.batch_execute(&format!(
        "INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT {b9}, w.id, 'gone', 'gone', 'local', 'claude', 'offline', now() - interval '1 year'
         FROM workspace AS w ORDER BY w.id LIMIT 1",
        b9 = id("b9"),
    ))?;
    Ok(())
}

/// Creates a trigger, deferred or not, that runs `what` when a runtime is deleted.
fn on_deletion(client: &mut Client, deferred: bool, what: &str) -> Result<()> {
    let (constraint, how) = if deferred { ("CONSTRAINT", "DEFERRABLE INITIALLY DEFERRED") } else { ("", "") };
    client.batch_execute(&format!(
        "CREATE SEQUENCE firings;
         CREATE FUNCTION on_deletion() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what} RETURN NULL; END $$;
         CREATE {constraint} TRIGGER on_deletion AFTER DELETE ON agent_runtime {how}
         FOR EACH ROW EXECUTE FUNCTION on_deletion()"
    ))?;
    Ok(())
}

fn raise(state: &str) -> String {
    format!("RAISE EXCEPTION 'trouble' USING ERRCODE = '{state}';")
}

/// Errors of the server, of the transaction, or of a cancel, which a sweep never handles.
fn housekeeping_error_rolls_back_no_verdict(context: &Context) -> Result<()> {
    for (state, deferred) in [("53100", false), ("57014", false), ("XX001", false), ("40001", false), ("58030", true)] {
        let (_database, mut client) = dead_machine(context)?;
        expired(&mut client)?;
        on_deletion(&mut client, deferred, &raise(state))?;
        expect_state(&mut client, "CALL multica_sweep_all()", state)?;
        expect(&mut client, FIGURES, "0 1 t 0 t 0")?;
    }
    Ok(())
}

/// The sweep checks deferred constraints before it commits. Here that check passes, and the COMMIT fails.
fn constraint_failure_at_commit_rolls_back_no_verdict(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    expired(&mut client)?;
    on_deletion(&mut client, true, "IF nextval('firings') > 1 THEN RAISE EXCEPTION 'the second time'; END IF;")?;
    expect_state(&mut client, "CALL multica_sweep_all()", "P0001")?;
    expect(&mut client, FIGURES, "0 1 t 0 t 0")?;
    expect(&mut client, "SELECT last_value FROM firings", "2")
}

/// If housekeeping fails every time, one CALL still fails all tasks of the backlog.
fn verdicts_of_all_batches_come_before_housekeeping(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    expired(&mut client)?;
    on_deletion(&mut client, false, &raise("53100"))?;
    client.batch_execute("SET multica.batch_size = 1")?;
    expect_state(&mut client, "CALL multica_sweep_all()", "53100")?;
    expect(&mut client, "SELECT count(*) FROM agent_task_queue WHERE status IN ('dispatched', 'running')", "0")
}

/// The server is killed while a sweep deletes a runtime. The verdicts and their totals are already committed, and the
/// next sweep does the housekeeping.
fn kill_between_verdicts_and_housekeeping_loses_neither(context: &Context) -> Result<()> {
    let cluster = context.cluster(&Options::new("between"))?;
    let database = fleet(context.fresh_database_in(&cluster)?, &SWEEP_ALL)?;
    let mut observer = database.connect()?;
    expired(&mut observer)?;
    observer
        .batch_execute("CREATE TRIGGER stop AFTER DELETE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION stop_here()")?;
    let holder = hold_stop(&database)?;
    let running = start(&database, SWEEP_ALL.sql)?;
    running.wait_until_blocked(&mut observer)?;
    expect(&mut observer, FIGURES, "0 1 t 0 t 0")?;
    cluster.kill()?;
    cluster.start()?;
    ensure!(running.finish().is_err(), "the sweep succeeded although the server was killed");
    drop(holder);
    let mut client = database.connect()?;
    expect(&mut client, FIGURES, "0 1 t 0 t 0")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(&mut client, FIGURES, "0 2 t 1 f 1")
}

/// Totals and events show one sweep, although it has two transactions.
fn sweep_in_two_transactions_is_counted_once(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    expired(&mut client)?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(&mut client, FIGURES, "0 1 t 1 t 1")?;
    expect(
        &mut client,
        "SELECT count(DISTINCT xmin::text), count(DISTINCT payload ->> 'sweep_id'),
             count(*) FILTER (WHERE payload ->> 'action' = 'runtime_gc')
         FROM multica_event_log WHERE payload ? 'sweep_id'",
        "2 1 1",
    )?;
    // A sweep with housekeeping alone is counted too.
    expired(&mut client)?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(&mut client, FIGURES, "0 2 t 2 f 1")
}

/// Returns the number of transactions that a statement begins, from the numbers of their virtual ids.
fn transactions_of(client: &mut Client, sql: &str) -> Result<i64> {
    let now = "SELECT split_part(virtualtransaction, '/', 2) FROM pg_locks
               WHERE pid = pg_backend_pid() AND locktype = 'virtualxid'";
    let before: i64 = value(client, now)?.parse()?;
    client.batch_execute(sql)?;
    let after: i64 = value(client, now)?.parse()?;
    Ok(after - before - 1)
}

/// The count includes the transaction that begins after the last COMMIT of the procedure.
fn idle_sweep_uses_one_transaction(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("CALL multica_sweep_all()")?;
    let begun = transactions_of(&mut client, "CALL multica_sweep_all()")?;
    ensure!(begun == 2, "an idle sweep begins {begun} transactions");
    expired(&mut client)?;
    let begun = transactions_of(&mut client, "CALL multica_sweep_all()")?;
    ensure!(begun == 2, "housekeeping alone begins {begun} transactions");
    Ok(())
}

fn worker_verdicts_are_visible_during_housekeeping(context: &Context) -> Result<()> {
    let cluster = ticking(context, "house")?;
    let database = fleet(context.fresh_database_in(&cluster)?, &SWEEP_ALL)?;
    let mut observer = database.connect()?;
    expired(&mut observer)?;
    observer
        .batch_execute("CREATE TRIGGER stop AFTER DELETE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION stop_here()")?;
    let holder = hold_stop(&database)?;
    switch_on(&database)?;
    let waits = "SELECT count(*) > 0 FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
                 WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted";
    wait_for(&database, "a worker waits in the trigger", waits)?;
    expect(&mut observer, FIGURES, "0 1 t 0 t 0")?;
    drop(holder);
    Cluster::wait_until("the worker has collected the runtime", LIMIT, || {
        Ok(value(&mut observer, FIGURES)?.split(' ').nth(3) == Some("1"))
    })
}

/// Housekeeping fails in every sweep, and a stale runtime is still found without delay. With a back-off, twelve
/// failures would delay the next sweep by minutes.
fn worker_does_not_back_off_after_housekeeping_error(context: &Context) -> Result<()> {
    let cluster = ticking(context, "trouble")?;
    let database = super::worker::fleet(context, &cluster)?;
    let mut client = database.connect()?;
    expired(&mut client)?;
    on_deletion(&mut client, false, &raise("53100"))?;
    alter(&database, "SET multica.runtime_ttl = '10min'")?;
    switch_on(&database)?;
    for times in [4, 12] {
        silence(&database)?;
        wait_until_swept(&database)?;
        Cluster::wait_until("housekeeping has failed", LIMIT, || {
            Ok(super::worker::said(&cluster, "trouble (SQLSTATE 53100)")? >= times)
        })?;
    }
    silence(&database)?;
    wait_until_swept(&database)?;
    expect(&mut client, "SELECT last_error LIKE 'trouble (SQLSTATE 53100)%' FROM multica_status()", "t")
}

/// Metrics count refused runtimes and refused events separately, so that monitoring can alert on each.
fn metrics_count_refused_rows(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    expired(&mut client)?;
    client.batch_execute(
        "INSERT INTO multica_event_log (created_at, type, payload)
         SELECT now() - interval '1 year', 'old', '{}' FROM generate_series(1, 3);
         CREATE TABLE audit (event_id bigint REFERENCES multica_event_log, runtime_id uuid REFERENCES agent_runtime);
         INSERT INTO audit (event_id) SELECT id FROM multica_event_log WHERE type = 'old' ORDER BY id LIMIT 2;
         INSERT INTO audit (runtime_id) SELECT id FROM agent_runtime WHERE name = 'gone'",
    )?;
    let metrics = "SELECT string_agg(name || ' ' || value, ', ' ORDER BY name) FROM multica_metrics()
                   WHERE name IN ('multica_rows_refused', 'multica_events_refused')";
    expect(&mut client, metrics, "multica_events_refused 0, multica_rows_refused 0")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(&mut client, metrics, "multica_events_refused 2, multica_rows_refused 1")
}

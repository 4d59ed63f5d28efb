//! What calls cost: a number of statements that does not grow with the tasks, and no write where there is nothing to
//! do.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{expect, id, value, values};
use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::database::Database;

/// Tests of what Postgres writes for a call.
pub const ALL: &[(&str, Suite)] = suite![idle_calls_assign_no_transaction_id, heartbeats_stay_heap_only,];

/// Tests of the number of statements that a call runs.
pub const AT_HOME: &[(&str, Suite)] = suite![statement_count_does_not_grow_with_tasks];

/// All statements that ran in this database, at whatever level. The checks of foreign keys are statements of Postgres
/// itself, one per row.
const CALLS: &str = "SELECT sum(calls) FROM pg_stat_statements
                     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                       AND query NOT LIKE '%FROM ONLY%FOR KEY SHARE%' AND query NOT LIKE '%pg_stat_statements%'";

/// A silent runtime with this many tasks of as many issues and of fifty agents; a tenth of the tasks are the last
/// attempt.
fn create_tasks(client: &mut Client, tasks: usize) -> Result<()> {
    client.batch_execute(&format!(
        "INSERT INTO workspace (id, name, slug) VALUES ({workspace}, 'Fleet', 'fleet');
         INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         VALUES ({runtime}, {workspace}, 'dead', 'dead', 'local', 'claude', 'online', now() - interval '1 hour'),
                ({other}, {workspace}, 'alive', 'alive', 'local', 'claude', 'online', now());
         INSERT INTO agent (workspace_id, name, runtime_mode, runtime_id, status)
         SELECT {workspace}, 'agent-' || n, 'local', {runtime}, 'working' FROM generate_series(1, 50) AS n;
         INSERT INTO issue (workspace_id, title, status, creator_type, creator_id, number)
         SELECT {workspace}, 'issue', 'in_progress', 'member', gen_random_uuid(), n FROM generate_series(1, {tasks}) AS n;
         INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, max_attempts, dispatched_at, started_at)
         SELECT a.id, a.runtime_id, i.id, 'running', CASE WHEN i.number % 10 = 0 THEN 1 ELSE 2 END, now(), now()
         FROM issue AS i JOIN agent AS a ON a.name = 'agent-' || (i.number % 50 + 1);
         UPDATE agent SET status = 'idle' WHERE id NOT IN (SELECT agent_id FROM agent_task_queue);
         ANALYZE",
        workspace = id("a1"),
        runtime = id("b1"),
        other = id("b2"),
    ))?;
    Ok(())
}

/// Returns the number of statements that a call on this many tasks runs after a preparation. The call must return the
/// expected row.
fn count_statements(
    context: &Context,
    cluster: &Cluster,
    tasks: usize,
    (before, call, expected): (&str, &str, &str),
) -> Result<String> {
    let database: Database = context.fresh_database_in(cluster)?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION pg_stat_statements")?;
    create_tasks(&mut client, tasks)?;
    client.batch_execute(before)?;
    client.batch_execute("SET multica.batch_size = 10000; SELECT pg_stat_statements_reset()")?;
    expect(&mut client, call, expected)?;
    let calls = value(&mut client, CALLS)?;
    ensure!(calls.parse::<i64>()? > 5, "only {calls} statements of {call} were counted");
    Ok(calls)
}

fn statement_count_does_not_grow_with_tasks(context: &Context) -> Result<()> {
    let options = Options::new("statements")
        .set("shared_preload_libraries", "multica,pg_stat_statements")
        .set("pg_stat_statements.track", "all");
    let cluster = context.cluster(&options)?;
    let recover = format!("SELECT orphaned, retried FROM multica_recover_orphans({})", id("b1"));
    let merge = format!(
        "SELECT merged, tasks_reassigned FROM multica_merge_legacy({}, 'claude', 'dead', {})",
        id("a1"),
        id("b2")
    );
    for (before, call, few, many) in [
        ("", recover.as_str(), "10 9", "10000 9000"),
        ("", "SELECT tasks_failed, tasks_retried, issues_reset FROM multica_sweep()", "10 9 1", "10000 9000 1000"),
        ("", "SELECT count(*) FROM multica_fail_stale_tasks(1e-6, 1e-6)", "10", "10000"),
        (
            "UPDATE agent_task_queue SET status = 'failed', completed_at = now(), failure_reason = 'timeout'",
            "SELECT retried, issues_reset FROM multica_handle_failed_tasks(ARRAY(SELECT id FROM agent_task_queue))",
            "9 1",
            "9000 1000",
        ),
        ("", merge.as_str(), "1 10", "1 10000"),
    ] {
        let for_ten = count_statements(context, &cluster, 10, (before, call, few))?;
        let for_ten_thousand = count_statements(context, &cluster, 10_000, (before, call, many))?;
        // A sweep whose batch is full leaves the later stages to the next one.
        ensure!(
            for_ten_thousand.parse::<i64>()? <= for_ten.parse::<i64>()?,
            "{call}: {for_ten} statements for 10 tasks, {for_ten_thousand} for 10,000"
        );
    }
    Ok(())
}

/// A sweep, a reader and a recovery that have nothing to do assign no transaction id and write no WAL, even in a
/// database full of tasks in flight.
fn idle_calls_assign_no_transaction_id(context: &Context) -> Result<()> {
    let cluster = context.cluster(&Options::new("idle").set("autovacuum", "off"))?;
    let database = context.fresh_database_in(&cluster)?;
    let mut client = database.connect()?;
    create_tasks(&mut client, 1000)?;
    client.batch_execute("UPDATE agent_runtime SET last_seen_at = now()")?;
    client.batch_execute("SELECT * FROM multica_take_events('mirror')")?;
    client.batch_execute("VACUUM")?;
    let recover =
        format!("SELECT * FROM multica_recover_orphans({}, ARRAY(SELECT id FROM agent_task_queue))", id("b1"));
    for call in [
        "SELECT * FROM multica_sweep()",
        "CALL multica_sweep_all()",
        "SELECT * FROM multica_fail_stale_tasks(300, 9000)",
        "SELECT * FROM multica_mark_stale_runtimes_offline(45)",
        "SELECT * FROM multica_delete_stale_offline_runtimes(604800)",
        "SELECT * FROM multica_events()",
        "SELECT * FROM multica_list_runtimes('00000000-0000-4000-8000-0000000000a1')",
        recover.as_str(),
    ] {
        // The first call in a database session may set hint bits and prune pages; the calls after it must not write.
        client.batch_execute(call)?;
        let position = "SELECT pg_current_wal_insert_lsn(), pg_current_snapshot()";
        let before = values(&mut client, position)?;
        client.batch_execute(call)?;
        let after = values(&mut client, position)?;
        ensure!(before == after, "{call}: {before:?} became {after:?}");
    }
    Ok(())
}

/// Two hundred runtimes send heartbeats many times: at least 95 of 100 heartbeats update no index.
fn heartbeats_stay_heap_only(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let mut client = database.connect()?;
    create_tasks(&mut client, 10)?;
    client.batch_execute(&format!(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT {}, 'd-' || n, 'r', 'local', 'claude', 'online', now() FROM generate_series(1, 200) AS n",
        id("a1")
    ))?;
    for _round in 0..20 {
        client.batch_execute("SELECT multica_heartbeat(id) FROM agent_runtime")?;
        client.batch_execute("SELECT multica_heartbeat_many(ARRAY(SELECT id FROM agent_runtime))")?;
    }
    client.batch_execute("SELECT pg_stat_force_next_flush()")?;
    expect(
        &mut client,
        "SELECT n_tup_upd, n_tup_hot_upd >= 0.95 * n_tup_upd FROM pg_stat_user_tables WHERE relname = 'agent_runtime'",
        "8080 t",
    )
}

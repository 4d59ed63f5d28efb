//! A crash between any two writes of a call leaves either all of its changes or none. To test this, the call is stopped
//! after its write to each table in turn, killed there, and repeated.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{LIMIT, Running, digest, expect, expect_story, hold_stop, start, terminate, value};
use super::worker::{switch_on, ticking};
use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::database::Database;

/// Tests of what the server itself starts, stops and recovers.
pub const ALL: &[(&str, Suite)] =
    suite![worker_terminated_at_each_table, server_killed_at_each_table, sweep_all_keeps_the_batches_before_the_kill];

/// Tests of one transaction whose session is terminated.
pub const AT_HOME: &[(&str, Suite)] = suite![
    sweep_terminated_at_each_table,
    sweep_all_terminated_at_each_table,
    recover_orphans_terminated_at_each_table,
    register_terminated_at_each_table,
    merge_terminated_at_each_table,
    delete_runtime_terminated_at_each_table,
];

fn sweep_terminated_at_each_table(context: &Context) -> Result<()> {
    terminated_at_each_table(context, &SWEEP)
}

fn sweep_all_terminated_at_each_table(context: &Context) -> Result<()> {
    terminated_at_each_table(context, &SWEEP_ALL)
}

fn recover_orphans_terminated_at_each_table(context: &Context) -> Result<()> {
    terminated_at_each_table(context, &RECOVER)
}

fn register_terminated_at_each_table(context: &Context) -> Result<()> {
    terminated_at_each_table(context, &REGISTER)
}

fn merge_terminated_at_each_table(context: &Context) -> Result<()> {
    terminated_at_each_table(context, &MERGE)
}

fn delete_runtime_terminated_at_each_table(context: &Context) -> Result<()> {
    terminated_at_each_table(context, &DELETE)
}

const FAIL: (&str, &str) = ("agent_task_queue", "UPDATE");
const RETRY: (&str, &str) = ("agent_task_queue", "INSERT");
/// An issue is reset to todo.
pub const ISSUE: (&str, &str) = ("issue", "UPDATE");
const RUN: (&str, &str) = ("autopilot_run", "UPDATE");
const AGENT: (&str, &str) = ("agent", "UPDATE");
const EVENT: (&str, &str) = ("multica_event_log", "INSERT");

/// A call on the fixture `dead_machine`, the tables where to stop it, and the expected result.
pub struct Call {
    /// The statement.
    pub sql: &'static str,
    /// Tables and the kind of write, in no particular order.
    pub stops: &'static [(&'static str, &'static str)],
    /// The result after the call, in the lines of the fixture `story`.
    pub story: &'static str,
}

/// One sweep.
pub static SWEEP: Call = Call {
    sql: "SELECT * FROM multica_sweep()",
    stops: &[
        ("agent_runtime", "UPDATE"),
        FAIL,
        RETRY,
        ISSUE,
        RUN,
        AGENT,
        EVENT,
        ("multica_sweep_state", "UPDATE"),
        ("multica_sweep_total", "INSERT"),
    ],
    story: include_str!("../../fixtures/story_swept.txt"),
};

/// All sweeps until the backlog is empty.
pub static SWEEP_ALL: Call = Call { sql: "CALL multica_sweep_all()", stops: SWEEP.stops, story: SWEEP.story };

/// The daemon machine-1 restarted.
pub static RECOVER: Call = Call {
    sql: "SELECT * FROM multica_recover_orphans('00000000-0000-4000-8000-0000000000b1')",
    stops: &[FAIL, RETRY, ISSUE, RUN, AGENT, EVENT],
    story: include_str!("../../fixtures/story_recovered.txt"),
};

/// The same daemon registers with a second runtime and with an earlier daemon id.
pub static REGISTER: Call = Call {
    sql: r#"SELECT * FROM multica_register('00000000-0000-4000-8000-0000000000a1',
        '{"daemon_id": "machine-1", "legacy_daemon_ids": ["old-name"], "recover": true,
          "runtimes": [{"type": "gemini"}, {"type": "claude"}]}')"#,
    stops: &[
        ("agent_runtime", "INSERT"),
        ("agent_runtime", "UPDATE"),
        ("agent_runtime", "DELETE"),
        FAIL,
        RETRY,
        ISSUE,
        RUN,
        AGENT,
        EVENT,
    ],
    story: include_str!("../../fixtures/story_registered.txt"),
};

/// Only the merge of its earlier daemon id.
pub static MERGE: Call = Call {
    sql: "SELECT * FROM multica_merge_legacy('00000000-0000-4000-8000-0000000000a1', 'claude', 'Old-Name', \
          '00000000-0000-4000-8000-0000000000b1')",
    stops: &[AGENT, FAIL, ("agent_runtime", "UPDATE"), ("agent_runtime", "DELETE"), EVENT],
    story: include_str!("../../fixtures/story_merged.txt"),
};

/// Its active agents are archived first, and one of them is bound to another runtime.
pub static DELETE: Call = Call {
    sql: "SELECT * FROM multica_delete_runtime('00000000-0000-4000-8000-0000000000b3')",
    stops: &[FAIL, ("agent", "DELETE"), ("agent_runtime", "DELETE"), EVENT],
    story: include_str!("../../fixtures/story_deleted.txt"),
};

/// Fills the database with the fixture, and with the rows that the call needs to write to each of its tables.
pub fn fleet<'a>(database: Database<'a>, call: &Call) -> Result<Database<'a>> {
    database.fixture("stop")?;
    database.fixture("dead_machine")?;
    // The runtime of machine-2 must not go stale during a slow test.
    database.connect()?.batch_execute(
        "UPDATE agent_runtime SET last_seen_at = now() + interval '1 day' WHERE daemon_id = 'machine-2'",
    )?;
    if std::ptr::eq(call, &DELETE) {
        database.connect()?.batch_execute("UPDATE agent SET archived_at = now() WHERE name = 'Cy'")?;
    }
    Ok(database)
}

/// Runs the call until it waits in a trigger after its write to one table.
pub fn stopped(database: &Database, call: &Call, stop: (&str, &str)) -> Result<(Client, Running)> {
    let holder = hold_stop(database)?;
    let mut observer = database.connect()?;
    observer.batch_execute(&format!(
        "CREATE TRIGGER stop AFTER {} ON {} FOR EACH ROW EXECUTE FUNCTION stop_here()",
        stop.1, stop.0
    ))?;
    let running = start(database, call.sql)?;
    running.wait_until_blocked(&mut observer).with_context(|| format!("at {} of {}", stop.1, stop.0))?;
    Ok((holder, running))
}

/// Fails unless the kill left the rows as they were `before`, and the repeated call does everything.
pub fn nothing_and_then_all(
    context: &Context,
    database: &Database,
    call: &Call,
    stop: (&str, &str),
    before: &[String],
) -> Result<()> {
    let at = || format!("{} at {} of {}", call.sql, stop.1, stop.0);
    let after = digest(context, database)?;
    ensure!(before == after, "{}: {before:#?} became {after:#?}", at());
    let mut client = database.connect()?;
    client.batch_execute(&format!("DROP TRIGGER stop ON {}", stop.0))?;
    client.simple_query(call.sql).with_context(at)?;
    expect_story(context, database, call.story).with_context(at)
}

fn terminated_at_each_table(context: &Context, call: &Call) -> Result<()> {
    for stop in call.stops {
        let database = fleet(context.fresh_database()?, call)?;
        let before = digest(context, &database)?;
        let (holder, running) = stopped(&database, call, *stop)?;
        terminate(&mut database.connect()?, running.pid)?;
        ensure!(running.finish().is_err(), "the call succeeded although its session was terminated");
        drop(holder);
        nothing_and_then_all(context, &database, call, *stop, &before)?;
    }
    Ok(())
}

/// The worker is terminated at the same tables; the next worker repeats the whole sweep.
fn worker_terminated_at_each_table(context: &Context) -> Result<()> {
    let cluster = ticking(context, "crash")?;
    for stop in &SWEEP.stops[..7] {
        let database = fleet(context.fresh_database_in(&cluster)?, &SWEEP)?;
        let mut observer = database.connect()?;
        observer.batch_execute(&format!(
            "CREATE TRIGGER stop AFTER {} ON {} FOR EACH ROW EXECUTE FUNCTION stop_here()",
            stop.1, stop.0
        ))?;
        let holder = hold_stop(&database)?;
        let before = digest(context, &database)?;
        switch_on(&database)?;
        let mut stopped = || -> Result<i32> {
            let sql = "SELECT l.pid FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
                       WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted";
            let mut pid = 0;
            Cluster::wait_until("a worker waits in the trigger", LIMIT, || {
                pid = observer.query_opt(sql, &[])?.map_or(0, |row| row.get(0));
                Ok(pid != 0)
            })?;
            Ok(pid)
        };
        let first_pid = stopped()?;
        terminate(&mut database.connect()?, first_pid)?;
        let second_pid = stopped()?;
        ensure!(first_pid != second_pid, "the terminated worker still runs");
        let changed: Vec<String> = digest(context, &database)?
            .into_iter()
            .filter(|line| !before.contains(line) && !line.starts_with("multica_sweep_state"))
            .collect();
        ensure!(changed.is_empty(), "{stop:?}: {changed:?}");
        drop(holder);
        Cluster::wait_until("the worker has written the whole verdict", LIMIT, || {
            Ok(expect_story(context, &database, SWEEP.story).is_ok())
        })?;
    }
    Ok(())
}

/// Uses one database per call and table, because all server processes are killed at the same time after every call was
/// stopped at its table.
fn server_killed_at_each_table(context: &Context) -> Result<()> {
    let cluster = context.cluster(&Options::new("crash"))?;
    let mut stopped_calls = Vec::new();
    for call in [&SWEEP, &RECOVER, &REGISTER, &MERGE, &DELETE] {
        for stop in call.stops {
            let database = fleet(context.fresh_database_in(&cluster)?, call)?;
            let before = digest(context, &database)?;
            let sessions = stopped(&database, call, *stop)?;
            stopped_calls.push((database, call, *stop, before, sessions));
        }
    }
    cluster.kill()?;
    cluster.start()?;
    for (database, call, stop, before, (holder, running)) in stopped_calls {
        ensure!(running.finish().is_err(), "the call succeeded although the server was killed");
        drop(holder);
        nothing_and_then_all(context, &database, call, stop, &before)?;
    }
    Ok(())
}

/// With batches of one row, a kill in a later batch keeps the earlier batches whole and undoes only its own.
fn sweep_all_keeps_the_batches_before_the_kill(context: &Context) -> Result<()> {
    let database = fleet(context.fresh_database()?, &SWEEP_ALL)?;
    let mut observer = database.connect()?;
    observer.batch_execute(&format!(
        "ALTER DATABASE {} SET multica.batch_size = 1;
         CREATE TRIGGER stop AFTER UPDATE ON agent_task_queue FOR EACH ROW
         WHEN (NEW.id = '00000000-0000-4000-8000-0000000000e4') EXECUTE FUNCTION stop_here()",
        database.name
    ))?;
    let holder = hold_stop(&database)?;
    let running = start(&database, SWEEP_ALL.sql)?;
    running.wait_until_blocked(&mut observer)?;
    terminate(&mut observer, running.pid)?;
    drop(holder);
    let failed = "SELECT count(*) FROM agent_task_queue WHERE status = 'failed'";
    ensure!(value(&mut observer, failed)? != "0", "the kill undid the earlier batches");
    expect(
        &mut observer,
        "SELECT t.id FROM agent_task_queue AS t
         WHERE (t.status = 'failed') <> EXISTS (
             SELECT FROM multica_event_log AS e
             WHERE e.type = 'task:failed' AND e.payload ->> 'task_id' = t.id::text)",
        "",
    )?;
    expect(
        &mut observer,
        "SELECT t.id FROM agent_task_queue AS t
         WHERE t.status = 'failed' AND t.id = '00000000-0000-4000-8000-0000000000e1' AND NOT EXISTS (
             SELECT FROM agent_task_queue AS c WHERE c.parent_task_id = t.id)",
        "",
    )?;
    expect(
        &mut observer,
        "SELECT status FROM agent_task_queue WHERE id = '00000000-0000-4000-8000-0000000000e4'",
        "running",
    )?;
    observer.batch_execute("DROP TRIGGER stop ON agent_task_queue")?;
    database.connect()?.batch_execute(SWEEP_ALL.sql)?;
    expect_story(context, &database, SWEEP_ALL.story)
}

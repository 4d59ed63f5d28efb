//! What a standby allows, and what continues on it after its promotion.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::foreign_errors::read_by_both;
use super::support::{LIMIT, expect, expect_state, id, value};
use crate::cluster::{Cluster, Options, Shutdown};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    standby_allows_reads_and_refuses_writes,
    session_of_standby_writes_after_promotion,
    named_reader_continues_after_promotion,
    prepared_events_hold_readers_back_after_promotion,
    position_of_lost_event_is_refused_after_promotion,
];

/// Returns every function of the extension with its volatility, its kind, and the names of its required arguments.
const FUNCTIONS: &str = "
    SELECT p.proname::text, p.provolatile = 'v', p.prokind = 'p', p.proargnames[1:p.pronargs - p.pronargdefaults]
    FROM pg_depend AS d
    JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
    JOIN pg_proc AS p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
    WHERE e.extname = 'multica' AND d.deptype = 'e' AND p.proname LIKE 'multica\\_%'
    ORDER BY p.proname";

/// Reading events needs the locks of the primary.
const REFUSED_ON_STANDBY: [&str; 2] = ["multica_events", "multica_take_events"];

/// Only reads, but must be volatile, because it takes a new snapshot.
const VOLATILE_READER: &str = "multica_count_active_agents";

/// Rows that each writing function needs, in addition to those of the fixture `team`.
const WORK: &str = "
    SELECT task('11'), task('12', status => 'dispatched'), task('13', status => 'running'), task('14', status => 'failed'),
        task('15', status => 'failed'), task('16');
    UPDATE agent_task_queue SET failure_reason = 'timeout', completed_at = now() WHERE status = 'failed';
    UPDATE agent_task_queue SET error = 'task timed out', dispatched_at = 'epoch' WHERE id::text LIKE '%15';
    UPDATE agent_task_queue SET parent_task_id = '00000000-0000-4000-8000-000000000015' WHERE id::text LIKE '%16';
    UPDATE agent_task_queue SET dispatched_at = now() - interval '1 hour' WHERE status = 'dispatched';
    UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '1 year' WHERE daemon_id = 'machine-2'";

/// Returns a value for an argument of this name. An unknown name fails the test; add it here then.
fn argument(function: &str, name: &str) -> Result<String> {
    let task = match function {
        "multica_start" | "multica_wait" | "multica_extend_lease" | "multica_requeue" => "12",
        "multica_retry" | "multica_rerun_task" | "multica_handle_failed_tasks" => "14",
        "multica_resume" => "15",
        _ => "13",
    };
    Ok(match name {
        "workspace_id" | "ws" => id("a1"),
        "runtime_id" if function == "multica_delete_runtime" => id("b2"),
        "runtime_id" | "new_runtime_id" => id("b1"),
        "old_runtime_id" => id("b2"),
        "agent_id" => id("c1"),
        "issue_id" => id("d1"),
        "chat_session_id" => id("51"),
        "autopilot_run_id" => id("71"),
        "owner_id" => id("f1"),
        "task_id" => id(task),
        "runtime_ids" => format!("ARRAY[{}]::uuid[]", id("b1")),
        "task_ids" => format!("ARRAY[{}]::uuid[]", id(task)),
        "comment_id" => id("81"),
        "data" => "'{}'".into(),
        "daemon_id" => "'machine-2'".into(),
        "legacy_daemon_id" => "'machine-old'".into(),
        "name" | "error" | "reader" | "session_id" => "'it'".into(),
        "runtime_mode" => "'local'".into(),
        "provider" => "'claude'".into(),
        "status" => "'online'".into(),
        "registration" => r#"'{"daemon_id": "machine-1", "runtimes": [{"type": "claude"}]}'"#.into(),
        "stale_secs" | "ttl_secs" | "dispatch_timeout_secs" | "running_timeout_secs" => "0.001".into(),
        "grantee" => "'postgres'".into(),
        "capability" => "'operator'".into(),
        "part" => "'verdicts'".into(),
        "scope" => "'provider'".into(),
        "key" => "'claude'".into(),
        "claim_token" => "0".into(),
        _ => anyhow::bail!("add a value for {name} of {function} here"),
    })
}

/// Functions that read work on a standby; Postgres refuses those that write, with or without rows to write.
fn standby_allows_reads_and_refuses_writes(context: &Context) -> Result<()> {
    let primary = context.cluster(&Options::new("primary"))?;
    let database = context.fresh_database_in(&primary)?;
    database.fixture("team")?;
    let mut client = database.connect()?;
    client.batch_execute(WORK)?;
    let standby = primary.standby(&context.project, &Options::new("standby"))?;
    let mut on_standby = standby.connect(&database.name)?;
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in on_standby.query(FUNCTIONS, &[])? {
        let (function, volatile, procedure): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
        let mut names: Vec<String> = row.get::<_, Option<_>>(3).unwrap_or_default();
        if function == "multica_pin_session" {
            // One of two optional arguments is needed.
            names.push("session_id".into());
        }
        let arguments = names
            .iter()
            .map(|name| Ok(format!("{name} => {}", argument(&function, name)?)))
            .collect::<Result<Vec<_>>>()?;
        let call = format!("{function}({})", arguments.join(", "));
        let sql = if procedure { format!("CALL {call}") } else { format!("SELECT * FROM {call}") };
        let expected = if REFUSED_ON_STANDBY.contains(&function.as_str()) {
            "55000"
        } else if volatile && function != VOLATILE_READER {
            "25006"
        } else {
            ""
        };
        let found = on_standby.simple_query(&sql).err();
        let found = found.map_or(String::new(), |error| error.code().map_or("?", |code| code.code()).to_string());
        if found != expected {
            wrong.push(format!("{sql} raises {found:?}, not {expected:?}"));
        }
        seen.insert(function);
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    for expected in ["multica_claim", "multica_sweep_all", "multica_status", "multica_metrics"] {
        ensure!(seen.contains(expected), "{expected} was not called");
    }
    expect(&mut on_standby, "SELECT preloaded, launcher_pid, tasks_queued FROM multica_status()", "t  2")?;
    let way = "-- word: on_standby\nSELECT multica_events(0)";
    read_by_both(context, &standby, &database.name, way)
}

/// A database with the fixture `team` on the primary, and a standby of the primary.
fn with_standby<'a>(context: &Context, primary: &'a Cluster) -> Result<(Database<'a>, Cluster)> {
    let database = context.fresh_database_in(primary)?;
    database.fixture("team")?;
    let standby = primary.standby(&context.project, &Options::new("standby"))?;
    Ok((database, standby))
}

/// Stops the primary after the standby has received all its writes, and promotes the standby.
fn take_over(primary: &Cluster, standby: &Cluster) -> Result<()> {
    // A fast shutdown waits until the standby has received everything.
    primary.stop(Shutdown::Fast)?;
    standby.promote()
}

/// Plans that a session cached while the server was a standby work after the promotion, those that failed there
/// included.
fn session_of_standby_writes_after_promotion(context: &Context) -> Result<()> {
    let primary = context.cluster(&Options::new("primary"))?;
    let (database, standby) = with_standby(context, &primary)?;
    let mut session = standby.connect(&database.name)?;
    let heartbeat = format!("SELECT status FROM multica_heartbeat({})", id("b1"));
    let claim = format!("SELECT status FROM multica_claim({})", id("b1"));
    let enqueue = format!("SELECT created FROM multica_enqueue_issue({})", id("d1"));
    for call in [&heartbeat, &enqueue] {
        expect_state(&mut session, call, "25006")?;
    }
    expect_state(&mut session, "SELECT FROM multica_events()", "55000")?;
    let queued = "SELECT tasks_queued FROM multica_status()";
    expect(&mut session, queued, "0")?;
    take_over(&primary, &standby)?;
    expect(&mut session, &heartbeat, "online")?;
    expect(&mut session, &enqueue, "t")?;
    expect(&mut session, queued, "1")?;
    expect(&mut session, &claim, "dispatched")?;
    expect(
        &mut session,
        "SELECT string_agg(type, ' ' ORDER BY id) FROM multica_events()",
        "task:queued task:dispatch agent:status",
    )
}

fn enqueue(client: &mut Client, issue: &str) -> Result<()> {
    let call = format!("SELECT FROM multica_enqueue_issue({})", id(issue));
    Ok(client.batch_execute(&call)?)
}

/// After the promotion a named reader does not get the events again that it took on the old primary. It gets the
/// remaining events of the old primary, and then those of the new one.
fn named_reader_continues_after_promotion(context: &Context) -> Result<()> {
    let primary = context.cluster(&Options::new("primary"))?;
    let (database, standby) = with_standby(context, &primary)?;
    let mut client = database.connect()?;
    let take = "SELECT string_agg(payload ->> 'issue_id', ' ' ORDER BY id) FROM multica_take_events('mailer', 1)";
    let of = |issue: &str| id(issue).trim_matches('\'').to_string();
    enqueue(&mut client, "d1")?;
    enqueue(&mut client, "d2")?;
    expect(&mut client, take, &of("d1"))?;
    take_over(&primary, &standby)?;
    let mut client = standby.connect(&database.name)?;
    enqueue(&mut client, "d3")?;
    expect(&mut client, take, &of("d2"))?;
    expect(&mut client, take, &of("d3"))?;
    expect(&mut client, take, "")
}

/// A prepared transaction with an event survives the promotion, and so does the lock that keeps readers from skipping
/// the event.
fn prepared_events_hold_readers_back_after_promotion(context: &Context) -> Result<()> {
    let primary = context.cluster(&Options::new("primary"))?;
    let (database, standby) = with_standby(context, &primary)?;
    let mut client = database.connect()?;
    // A transaction with NOTIFY cannot be prepared. It keeps its agent locked, so the other calls use another agent.
    client.batch_execute("SET multica.notify = off; BEGIN")?;
    enqueue(&mut client, "d9")?;
    client.batch_execute("PREPARE TRANSACTION 'half'")?;
    enqueue(&mut client, "d2")?;
    take_over(&primary, &standby)?;
    let mut client = standby.connect(&database.name)?;
    enqueue(&mut client, "d3")?;
    let read = "SELECT count(*) FROM multica_events()";
    expect(&mut client, read, "0")?;
    let held = value(&mut client, "SELECT events_held_since IS NOT NULL FROM multica_status()")?;
    ensure!(held == "t", "multica_status() does not report the held events");
    client.batch_execute("COMMIT PREPARED 'half'")?;
    expect(&mut client, read, "3")
}

/// The standby lacks the last event of the primary, like a server that was restored to a point in time. Readers
/// continue; a reader whose position is the id of the lost event gets an error, because the id is used again for
/// another event.
fn position_of_lost_event_is_refused_after_promotion(context: &Context) -> Result<()> {
    let primary = context.cluster(&Options::new("primary"))?;
    let (database, standby) = with_standby(context, &primary)?;
    let mut client = database.connect()?;
    enqueue(&mut client, "d1")?;
    let last = "SELECT max(id) FROM multica_events()";
    let kept = value(&mut client, last)?;
    Cluster::wait_until("the standby has the first event", LIMIT, || {
        let behind = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn < pg_current_wal_flush_lsn()";
        Ok(value(&mut client, behind)? == "0")
    })?;
    standby.stop(Shutdown::Fast)?;
    enqueue(&mut client, "d2")?;
    let lost = value(&mut client, last)?;
    primary.kill()?;
    standby.start()?;
    standby.promote()?;
    let mut client = standby.connect(&database.name)?;
    enqueue(&mut client, "d3")?;
    let after = |id: &str| format!("SELECT string_agg(payload ->> 'issue_id', ' ') FROM multica_events({id})");
    expect(&mut client, &after(&kept), id("d3").trim_matches('\''))?;
    let error = client.simple_query(&after(&lost)).err().context("the call succeeded")?;
    let constraint = error.as_db_error().and_then(|it| it.constraint());
    ensure!(constraint == Some("log_restarted"), "{error:?}");
    Ok(())
}

//! Tasks that a daemon which is alive has lost: its heartbeats no longer name them. Nothing else ends such a task beside a
//! server, because no clock applies to a running task of a runtime that is alive.

use anyhow::{Context as _, Result};
use postgres::Client;

use super::Suite;
use super::cases::on_databases;
use super::support::{expect, expect_state, id, team, value};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    task_that_two_heartbeats_do_not_name_fails,
    one_heartbeat_without_the_task_is_not_enough,
    task_that_is_named_again_is_not_lost,
    heartbeats_that_name_every_task_write_nothing,
    unnamed_task_is_noticed_by_heartbeat_that_is_not_written,
    heartbeats_without_list_neither_count_nor_clear,
    task_that_was_not_started_is_not_lost,
    task_is_not_lost_shortly_after_its_start,
    task_that_was_claimed_again_is_not_lost,
    task_that_moved_to_another_runtime_is_not_lost,
    silent_runtime_has_lost_nothing,
    heartbeats_before_an_outage_do_not_count,
    daemon_that_restarts_names_its_task,
    replaced_process_loses_nothing,
    task_that_reports_progress_is_not_lost,
    lost_after_zero_fails_nothing,
    daemon_is_told_to_stop_without_the_index,
    calls_work_before_install_has_made_the_tables,
    sweep_forgets_what_a_daemon_no_longer_has,
    lost_tasks_are_handled_in_batches,
    lost_task_in_tables_of_servers,
];

/// What is stored about tasks, by the ends of their ids, and whether a second heartbeat has confirmed it.
const STORED: &str = "SELECT right(task_id::text, 2), confirmed_at > missed_at FROM multica_task_unnamed ORDER BY 1";

/// Lets every stored time be so much earlier, except the last heartbeat.
const LONG_AGO: &str = "UPDATE multica_task_unnamed SET missed_at = missed_at - interval '2 minutes'";

const STATES: &str =
    "SELECT right(id::text, 2), status, failure_reason FROM agent_task_queue WHERE attempt = 1 ORDER BY id";

/// A heartbeat of runtime b1 of the fixture `team` that names these tasks.
fn beat(tasks: &[&str]) -> String {
    let tasks: Vec<String> = tasks.iter().map(|task| id(task)).collect();
    format!("SELECT FROM multica_heartbeat({}, ARRAY[{}]::uuid[])", id("b1"), tasks.join(", "))
}

/// Task e1 runs on runtime b1 for some time.
fn running(context: &Context) -> Result<(Database<'_>, Client)> {
    let (database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'running');
         UPDATE agent_task_queue
         SET dispatched_at = now() - interval '10 minutes', started_at = now() - interval '10 minutes'",
    )?;
    Ok((database, client))
}

/// As [`running`], and two heartbeats did not name the task, the first one longer ago than `multica.lost_after`.
fn lost(context: &Context) -> Result<(Database<'_>, Client)> {
    let (database, mut client) = running(context)?;
    client.batch_execute(&format!("{0}; {0}; {LONG_AGO}", beat(&[])))?;
    Ok((database, client))
}

/// A sweep fails no task.
fn stays(client: &mut Client) -> Result<()> {
    expect(client, "SELECT tasks_failed + tasks_timed_out FROM multica_sweep()", "0")
}

/// A sweep fails one task as lost.
fn fails(client: &mut Client) -> Result<()> {
    expect(client, "SELECT tasks_failed, tasks_timed_out FROM multica_sweep()", "1 0")
}

fn task_that_two_heartbeats_do_not_name_fails(context: &Context) -> Result<()> {
    let (_database, mut client) = running(context)?;
    let client = &mut client;
    client.batch_execute(&beat(&[]))?;
    expect(client, STORED, "e1 ")?;
    client.batch_execute(&beat(&[]))?;
    expect(client, STORED, "e1 t")?;
    stays(client)?;
    client.batch_execute(LONG_AGO)?;
    expect(client, "SELECT tasks_failed, tasks_retried, agents_reconciled FROM multica_sweep()", "1 1 0")?;
    expect(
        client,
        "SELECT attempt, status, failure_reason, error FROM agent_task_queue ORDER BY attempt",
        "1 failed runtime_recovery daemon no longer works on the task\n2 queued  ",
    )?;
    expect(
        client,
        "SELECT type, payload ? 'sweep_id' FROM multica_event_log ORDER BY type",
        "task:failed t\ntask:queued t",
    )?;
    expect(client, STORED, "")?;
    // The next heartbeat of a daemon that has it after all is told to stop.
    let told = format!("SELECT stop_task_ids = ARRAY[{0}]::uuid[] FROM", id("e1"));
    expect(client, &beat(&["e1"]).replace("SELECT FROM", &told), "t")
}

fn one_heartbeat_without_the_task_is_not_enough(context: &Context) -> Result<()> {
    let (_database, mut client) = running(context)?;
    client.batch_execute(&format!("{}; {LONG_AGO}", beat(&[])))?;
    stays(&mut client)
}

fn task_that_is_named_again_is_not_lost(context: &Context) -> Result<()> {
    let (_database, mut client) = lost(context)?;
    client.batch_execute("SELECT task('e2', status => 'running')")?;
    client.batch_execute(&beat(&["e1"]))?;
    expect(&mut client, STORED, "e2 ")?;
    stays(&mut client)?;
    // A later miss begins anew.
    client.batch_execute(&beat(&["e2"]))?;
    expect(&mut client, STORED, "e1 ")?;
    stays(&mut client)
}

fn heartbeats_that_name_every_task_write_nothing(context: &Context) -> Result<()> {
    let (_database, mut client) = running(context)?;
    client.batch_execute("CREATE INDEX ON agent_runtime (last_seen_at)")?;
    let written = "SELECT COALESCE(pg_current_xact_id_if_assigned()::text, 'none') FROM";
    let named = beat(&["e1", "ff"]).replace("SELECT FROM", written);
    for call in [named, format!("{written} multica_heartbeat({})", id("b1"))] {
        expect(&mut client, &call, "none")?;
    }
    expect(&mut client, STORED, "")
}

/// With an index on last_seen_at, most heartbeats write nothing for the runtime.
fn unnamed_task_is_noticed_by_heartbeat_that_is_not_written(context: &Context) -> Result<()> {
    let (_database, mut client) = running(context)?;
    client.batch_execute("CREATE INDEX ON agent_runtime (last_seen_at)")?;
    let seen = "SELECT last_seen_at FROM agent_runtime WHERE daemon_id = 'machine-1'";
    let before = value(&mut client, seen)?;
    client.batch_execute(&format!("{0}; {0}", beat(&[])))?;
    expect(&mut client, seen, &before)?;
    expect(&mut client, STORED, "e1 t")?;
    client.batch_execute(LONG_AGO)?;
    fails(&mut client)
}

fn heartbeats_without_list_neither_count_nor_clear(context: &Context) -> Result<()> {
    let (_database, mut client) = running(context)?;
    let runtime = id("b1");
    client.batch_execute(&format!(
        "{}; {LONG_AGO}; SELECT FROM multica_heartbeat({runtime});
         SELECT multica_heartbeat_many(ARRAY[{runtime}]::uuid[])",
        beat(&[])
    ))?;
    expect(&mut client, STORED, "e1 ")?;
    stays(&mut client)?;
    client.batch_execute(&beat(&[]))?;
    expect(&mut client, STORED, "e1 t")?;
    client.batch_execute(&format!("SELECT FROM multica_heartbeat({runtime})"))?;
    fails(&mut client)
}

/// A daemon may list a task only from its start on. A task that waits for its directory has no start.
fn task_that_was_not_started_is_not_lost(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'dispatched'), task('e2', status => 'waiting_local_directory', agent => 'c2'), task('e3');
         UPDATE agent_task_queue SET dispatched_at = now() - interval '2 minutes' WHERE status <> 'queued'",
    )?;
    client.batch_execute(&format!("{0}; {0}; {LONG_AGO}", beat(&[])))?;
    expect(&mut client, STORED, "e2 t")?;
    fails(&mut client)?;
    expect(&mut client, STATES, "e1 dispatched \ne2 failed runtime_recovery\ne3 queued ")
}

fn task_is_not_lost_shortly_after_its_start(context: &Context) -> Result<()> {
    let (_database, mut client) = lost(context)?;
    client.batch_execute("UPDATE agent_task_queue SET started_at = now() - interval '80 seconds'")?;
    stays(&mut client)?;
    client.batch_execute("UPDATE agent_task_queue SET started_at = now() - interval '91 seconds'")?;
    fails(&mut client)
}

/// What is stored about a claim says nothing about a later claim of the same task.
fn task_that_was_claimed_again_is_not_lost(context: &Context) -> Result<()> {
    let (_database, mut client) = lost(context)?;
    client.batch_execute("UPDATE agent_task_queue SET dispatched_at = dispatched_at + interval '1 minute'")?;
    client.batch_execute(&beat(&[]))?;
    expect(&mut client, STORED, "e1 ")?;
    client.batch_execute(&format!("{}; {LONG_AGO}", beat(&[])))?;
    client.batch_execute("UPDATE agent_task_queue SET dispatched_at = dispatched_at + interval '1 minute'")?;
    stays(&mut client)
}

fn task_that_moved_to_another_runtime_is_not_lost(context: &Context) -> Result<()> {
    let (_database, mut client) = lost(context)?;
    client.batch_execute(&format!("UPDATE agent_task_queue SET runtime_id = {}", id("b2")))?;
    stays(&mut client)?;
    expect(&mut client, STORED, "")
}

/// The stages of silent runtimes have their own rules, for example a grace for machines that sleep.
fn silent_runtime_has_lost_nothing(context: &Context) -> Result<()> {
    let (_database, mut client) = lost(context)?;
    let b1 = id("b1");
    client.batch_execute("SET multica.offline_grace = '1h'")?;
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET last_seen_at = now() - interval '10 minutes' WHERE id = {b1}"
    ))?;
    stays(&mut client)?;
    expect(&mut client, &format!("SELECT status FROM agent_runtime WHERE id = {b1}"), "offline")?;
    client.batch_execute(&format!("UPDATE agent_runtime SET last_seen_at = now() WHERE id = {b1}"))?;
    stays(&mut client)?;
    // The machine wakes up, and its daemon still does not name the task.
    client.batch_execute(&beat(&[]))?;
    fails(&mut client)
}

/// A server that was down, or was promoted, may lack the heartbeat that named the task.
fn heartbeats_before_an_outage_do_not_count(context: &Context) -> Result<()> {
    let (_database, mut client) = lost(context)?;
    client.batch_execute(
        "UPDATE multica_task_unnamed SET missed_at = pg_postmaster_start_time() - interval '2 minutes',
             confirmed_at = pg_postmaster_start_time() - interval '1 minute'",
    )?;
    stays(&mut client)?;
    // The first sweep after a promotion stores the beginning of the time in which verdicts are held.
    client.batch_execute(
        "UPDATE multica_task_unnamed SET confirmed_at = now() - interval '2 seconds';
         INSERT INTO multica_sweep_state DEFAULT VALUES ON CONFLICT DO NOTHING;
         UPDATE multica_sweep_state SET held_since = now() - interval '1 second';
         SET multica.hold_verdicts = on; SET multica.stale_after = '10ms';
         UPDATE agent_runtime SET last_seen_at = clock_timestamp() + interval '10 seconds'",
    )?;
    stays(&mut client)?;
    client.batch_execute(&format!(
        "{}; UPDATE agent_runtime SET last_seen_at = clock_timestamp() + interval '10 seconds'",
        beat(&[])
    ))?;
    fails(&mut client)
}

fn daemon_that_restarts_names_its_task(context: &Context) -> Result<()> {
    for call in [
        format!("multica_recover_orphans({}, ARRAY[{}]::uuid[])", id("b1"), id("e1")),
        format!(
            "multica_register({}, '{{\"daemon_id\": \"machine-1\", \"recover\": true,
                 \"runtimes\": [{{\"type\": \"claude\", \"running\": [\"{}\"]}}]}}')",
            id("a1"),
            id("e1").trim_matches('\'')
        ),
    ] {
        let (_database, mut client) = lost(context)?;
        client.batch_execute(&format!("SELECT FROM {call}"))?;
        expect(&mut client, STORED, "").with_context(|| call.clone())?;
        stays(&mut client).with_context(|| call.clone())?;
    }
    Ok(())
}

/// The heartbeat of a process that another one has replaced is refused, and stores nothing.
fn replaced_process_loses_nothing(context: &Context) -> Result<()> {
    let (_database, mut client) = running(context)?;
    client.batch_execute(&format!(
        "INSERT INTO multica_runtime_incarnation VALUES ({}, {}, now())",
        id("b1"),
        id("f9")
    ))?;
    let beat = |process: &str| beat(&[]).replace("uuid[])", &format!("uuid[], {})", id(process)));
    expect_state(&mut client, &beat("f8"), "55000")?;
    expect(&mut client, STORED, "")?;
    client.batch_execute(&beat("f9"))?;
    expect(&mut client, STORED, "e1 ")
}

fn task_that_reports_progress_is_not_lost(context: &Context) -> Result<()> {
    let (_database, mut client) = lost(context)?;
    client.batch_execute(&format!("SELECT FROM multica_progress({})", id("e1")))?;
    stays(&mut client)?;
    // The last heartbeat with a list was before the sign.
    client.batch_execute(
        "UPDATE agent_task_queue SET last_heartbeat_at = now() - interval '200 ms';
         UPDATE multica_task_unnamed SET confirmed_at = now() - interval '300 ms', missed_at = now() - interval '400 ms';
         SET multica.lost_after = '100ms'",
    )?;
    stays(&mut client)?;
    client.batch_execute(&beat(&[]))?;
    fails(&mut client)
}

fn lost_after_zero_fails_nothing(context: &Context) -> Result<()> {
    let (_database, mut client) = lost(context)?;
    expect(&mut client, "SELECT lost_after, idle_timeout FROM multica_status()", "00:01:30 ")?;
    client.batch_execute("SET multica.lost_after = 0")?;
    expect(&mut client, "SELECT lost_after, stages_off FROM multica_status()", " {}")?;
    stays(&mut client)?;
    client.batch_execute("RESET multica.lost_after")?;
    fails(&mut client)
}

/// Without an index of the tasks of a runtime, a search at each heartbeat would read the history of the runtime.
fn daemon_is_told_to_stop_without_the_index(context: &Context) -> Result<()> {
    let (_database, mut client) = running(context)?;
    client.batch_execute("DROP INDEX multica_task_runtime; SELECT task('e2', status => 'completed')")?;
    let told = "SELECT array_to_string(ARRAY(SELECT right(x::text, 2) FROM unnest(stop_task_ids) AS x), ' ') FROM";
    expect(&mut client, &beat(&["e2", "e1", "ff"]).replace("SELECT FROM", told), "e2 ff")?;
    client.batch_execute(&format!("{0}; {0}", beat(&[])))?;
    expect(&mut client, STORED, "")?;
    let off = "SELECT stages_off FROM multica_status()";
    expect(&mut client, off, "{\"lost_after: index multica_task_runtime is missing\"}")?;
    client.batch_execute("SELECT FROM multica_install()")?;
    expect(&mut client, off, "{}")?;
    client.batch_execute(&beat(&[]))?;
    expect(&mut client, STORED, "e1 ")
}

/// An update of the extension makes no tables.
fn calls_work_before_install_has_made_the_tables(context: &Context) -> Result<()> {
    let (_database, mut client) = running(context)?;
    client.batch_execute("DROP TABLE multica_task_unnamed, multica_task_progress, multica_runtime_return")?;
    let (runtime, task) = (id("b1"), id("e1"));
    client.batch_execute(&format!(
        "{0}; {0}; SELECT multica_set_runtime_offline({runtime}); SELECT FROM multica_heartbeat({runtime});
         SELECT multica_pin_session({task}, 's'); SELECT FROM multica_progress({task});
         SET multica.idle_timeout = '1s'; SELECT FROM multica_sweep()",
        beat(&[])
    ))?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect_state(&mut client, &format!("SELECT FROM multica_progress({task}, progress => '{{}}')"), "55000")?;
    client.batch_execute("SELECT FROM multica_install()")?;
    client.batch_execute(&format!("SELECT FROM multica_progress({task}, progress => '{{}}')"))?;
    client.batch_execute(&beat(&[]))?;
    expect(&mut client, STORED, "e1 ")
}

/// What is stored does not grow with the history. At most a batch is deleted at once, and a row that another session
/// holds is left.
fn sweep_forgets_what_a_daemon_no_longer_has(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running'), task('e2', status => 'completed'), task('e3', status => 'running'),
             task('e4', status => 'dispatched');
         UPDATE agent_task_queue SET completed_at = now() WHERE status = 'completed';
         INSERT INTO multica_task_unnamed
         SELECT id, CASE right(id::text, 2) WHEN 'e3' THEN {other} ELSE runtime_id END, dispatched_at, now() FROM agent_task_queue;
         INSERT INTO multica_task_unnamed VALUES ({gone}, {other}, now(), now());
         INSERT INTO multica_task_progress SELECT id, now() FROM agent_task_queue UNION ALL SELECT {gone}, now();
         INSERT INTO multica_runtime_return SELECT id, now() FROM agent_runtime UNION ALL SELECT {gone}, now();
         SET multica.batch_size = 3",
        other = format!("{}::uuid", id("b2")),
        gone = format!("{}::uuid", id("e9"))
    ))?;
    let left = "SELECT (SELECT string_agg(right(task_id::text, 2), ' ' ORDER BY task_id) FROM multica_task_unnamed),
                    (SELECT string_agg(right(task_id::text, 2), ' ' ORDER BY task_id) FROM multica_task_progress),
                    (SELECT count(*) FROM multica_runtime_return)";
    let mut holder = database.connect()?;
    holder.batch_execute(&format!("BEGIN; SELECT FROM multica_task_unnamed WHERE task_id = {} FOR SHARE", id("e2")))?;
    expect(&mut client, "SELECT more FROM multica_sweep()", "t")?;
    expect(&mut client, left, "e1 e2 e1 e3 e4 3")?;
    holder.batch_execute("ROLLBACK")?;
    expect(&mut client, "SELECT more FROM multica_sweep()", "f")?;
    expect(&mut client, left, "e1 e1 e3 e4 3")
}

/// A stage handles at most a batch, and a task that cannot be failed delays no other.
fn lost_tasks_are_handled_in_batches(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e' || n, status => 'running') FROM generate_series(1, 5) AS n;
         UPDATE agent SET max_concurrent_tasks = 10;
         UPDATE agent_task_queue
         SET dispatched_at = now() - interval '10 minutes', started_at = now() - interval '10 minutes'",
    )?;
    client.batch_execute(&format!("{0}; {0}; {LONG_AGO}; SET multica.batch_size = 2", beat(&[])))?;
    let mut holder = database.connect()?;
    holder.batch_execute(&format!("BEGIN; SELECT FROM agent_task_queue WHERE id = {} FOR UPDATE", id("e1")))?;
    expect(&mut client, "SELECT tasks_failed, more FROM multica_sweep()", "1 t")?;
    holder.batch_execute("ROLLBACK")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(&mut client, "SELECT count(*) FROM agent_task_queue WHERE failure_reason = 'runtime_recovery'", "5")
}

fn lost_task_in_tables_of_servers(context: &Context) -> Result<()> {
    on_databases(context, &[], |_, client| {
        let (runtime, task) = ("md5('runtime online')::uuid", "md5('task running')::uuid");
        let beat = |others: &str| {
            format!(
                "SELECT FROM multica_heartbeat({runtime}, ARRAY(SELECT id FROM agent_task_queue WHERE id {others} {task}))"
            )
        };
        let state = format!("SELECT status, failure_reason FROM agent_task_queue WHERE id = {task}");
        client.batch_execute(&format!(
            "UPDATE agent_task_queue SET started_at = now() - interval '10 minutes' WHERE id = {task};
             UPDATE agent_runtime SET last_seen_at = now() WHERE id = {runtime}"
        ))?;
        let has_beat = "SELECT 'task_beat' = ANY (features) FROM multica_status()";
        if value(client, has_beat)? == "t" {
            client.batch_execute("UPDATE agent_task_queue SET last_heartbeat_at = NULL")?;
        }
        client.batch_execute(&beat("="))?;
        let left = format!("SELECT count(*) FROM multica_task_unnamed WHERE task_id = {task}");
        expect(client, &left, "0")?;
        client.batch_execute(&format!("{0}; {0}; {LONG_AGO}; SELECT FROM multica_sweep()", beat("<>")))?;
        expect(client, &state, "failed runtime_recovery")?;
        expect(client, &left, "0")
    })
}

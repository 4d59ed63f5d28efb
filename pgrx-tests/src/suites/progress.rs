//! Signs of life of running tasks: their progress, its events, and tasks that give no sign any more.

use anyhow::{Context as _, Result};
use postgres::Client;

use super::Suite;
use super::cases::on_databases;
use super::support::{expect, expect_state, id, start, team, value};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    sign_of_life_writes_only_its_time,
    event_is_recorded_of_new_progress_once_per_interval,
    event_contains_progress_as_it_was_given,
    calls_at_the_same_time_record_one_event,
    old_token_and_ended_task_are_refused,
    wrong_progress_is_refused,
    no_index_contains_the_time_of_signs,
    progress_waits_for_no_agent,
    idle_task_fails_only_if_asked_for,
    task_that_never_gave_a_sign_is_not_idle,
    sign_before_the_start_does_not_count,
    pin_is_a_sign,
    task_is_not_idle_while_its_machine_sleeps,
    task_is_not_idle_because_of_an_outage,
    policy_decides_about_idle_tasks,
    silence_in_tables_of_servers,
    sign_in_open_transaction_counts_in_tables_of_servers,
];

const EVENTS: &str = "SELECT payload -> 'progress' FROM multica_event_log WHERE type = 'task:progress' ORDER BY id";

/// Reports progress of task e1 of the fixture `team`; `progress` is SQL.
fn report(progress: &str) -> String {
    format!(
        "SELECT status, applied, last_heartbeat_at IS NOT NULL FROM multica_progress({}, progress => {progress})",
        id("e1")
    )
}

/// Task e1 runs since two hours ago, and its silence is an hour long: its last sign was that long ago.
fn silent(context: &Context) -> Result<(Database<'_>, Client)> {
    let (database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'running');
         UPDATE agent_task_queue
         SET dispatched_at = now() - interval '2 hours', started_at = now() - interval '2 hours',
             last_heartbeat_at = now() - interval '1 hour'",
    )?;
    Ok((database, client))
}

/// A time that is at most a minute later than the clock is no sign of a clock that was set back. The tests use such a time
/// for "just now", so that it does not matter how long a test takes.
const JUST_NOW: &str = "now() + interval '30 seconds'";

/// A sweep with this `multica.idle_timeout` fails so many tasks. No timeout is longer than the server has been there,
/// because an outage within that time excuses every task.
fn sweep_fails(client: &mut Client, idle_timeout: &str, tasks: &str) -> Result<()> {
    client.batch_execute(&format!("SET multica.idle_timeout = '{idle_timeout}'"))?;
    expect(client, "SELECT tasks_failed, tasks_timed_out FROM multica_sweep()", &format!("0 {tasks}"))
}

fn sign_of_life_writes_only_its_time(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    let client = &mut client;
    let rest = "SELECT to_jsonb(t) - 'last_heartbeat_at' FROM agent_task_queue AS t";
    let before = value(client, rest)?;
    expect(client, &report("NULL"), "running t t")?;
    expect(client, "SELECT last_heartbeat_at > now() - interval '1 minute' FROM agent_task_queue", "t")?;
    expect(client, rest, &before)?;
    expect(
        client,
        "SELECT (SELECT count(*) FROM multica_event_log), (SELECT count(*) FROM multica_task_progress)",
        "0 0",
    )
}

fn event_is_recorded_of_new_progress_once_per_interval(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    let client = &mut client;
    let later = "UPDATE multica_task_progress SET recorded_at = recorded_at - interval '6 seconds'";
    client.batch_execute(&report("'{\"step\": 1}'"))?;
    expect(client, EVENTS, "{\"step\": 1}")?;
    // Another progress at once, and the same one later.
    client.batch_execute(&format!("{}; {later}; {}", report("'{\"step\": 2}'"), report("'{\"step\": 1}'")))?;
    expect(client, EVENTS, "{\"step\": 1}")?;
    client.batch_execute(&report("'{\"step\": 2}'"))?;
    expect(client, EVENTS, "{\"step\": 1}\n{\"step\": 2}")?;
    client.batch_execute(&format!("SET multica.progress_interval = 0; {}", report("'{\"step\": 3}'")))?;
    expect(client, EVENTS, "{\"step\": 1}\n{\"step\": 2}\n{\"step\": 3}")?;
    // The clock was set back.
    client.batch_execute(&format!(
        "RESET multica.progress_interval;
         UPDATE multica_task_progress SET recorded_at = now() + interval '1 day'; {}",
        report("'{}'")
    ))?;
    expect(client, &EVENTS.replace("payload -> 'progress'", "count(*)").replace("ORDER BY id", ""), "4")
}

/// The text is not converted: JSON has numbers that no program's number can hold.
fn event_contains_progress_as_it_was_given(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    let progress = "{\"n\": 123456789012345678901234567890.5, \"q\": \"a\\\"}é\", \"status\": {\"of\": [1]}}";
    client.batch_execute(&report(&format!("'{progress}'")))?;
    expect(
        &mut client,
        &format!(
            "SELECT e.payload -> 'progress' = '{progress}', e.payload ->> 'task_id' = {}, e.payload ->> 'status', e.workspace_id = {}
             FROM multica_event_log AS e",
            id("e1"),
            id("a1")
        ),
        "t t running t",
    )
}

fn calls_at_the_same_time_record_one_event(context: &Context) -> Result<()> {
    let (database, mut client) = silent(context)?;
    client.batch_execute(&format!("BEGIN; {}", report("'{\"step\": 1}'")))?;
    let second = start(&database, &report("'{\"step\": 2}'"))?;
    second.wait_until_blocked(&mut database.connect()?)?;
    client.batch_execute("COMMIT")?;
    second.finish()?;
    expect(&mut client, EVENTS, "{\"step\": 1}")
}

fn old_token_and_ended_task_are_refused(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    let client = &mut client;
    let token = value(client, "SELECT (extract(epoch FROM dispatched_at) * 1000000)::bigint FROM agent_task_queue")?;
    let call = |token: &str| format!("SELECT FROM multica_progress({}, {token}, '{{\"step\": 1}}')", id("e1"));
    let word = |client: &mut Client, call: &str| -> Result<String> {
        let error = client.batch_execute(call).err().with_context(|| format!("{call} succeeds"))?;
        let error = error.as_db_error().context("an error of the database")?;
        Ok(format!("{} {}", error.code().code(), error.constraint().unwrap_or_default()))
    };
    let is = |client: &mut Client, call: &str, expected: &str| -> Result<()> {
        let found = word(client, call)?;
        anyhow::ensure!(found == expected, "{call} raises {found}, not {expected}");
        Ok(())
    };
    client.batch_execute(&call(&token))?;
    is(client, &call("1"), "55000 stale_claim")?;
    client.batch_execute("UPDATE agent_task_queue SET status = 'dispatched', started_at = NULL")?;
    is(client, &call("1"), "55000 stale_claim")?;
    is(client, &call(&token), "55000 wrong_state")?;
    for ended in ["completed", "failed", "cancelled"] {
        client.batch_execute(&format!("UPDATE agent_task_queue SET status = '{ended}', completed_at = now()"))?;
        is(client, &call(&token), "55000 final")?;
        is(client, &call("1"), "55000 final")?;
    }
    is(client, &format!("SELECT FROM multica_progress({})", id("00")), "P0002 no_task")?;
    expect(client, EVENTS, "{\"step\": 1}")
}

fn wrong_progress_is_refused(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    for wrong in ["'[]'", "'1'", "'null'", "'\"{}\"'", "jsonb_build_object('a', repeat('x', 8184))"] {
        expect_state(&mut client, &report(wrong), "22023").with_context(|| wrong.to_string())?;
    }
    expect(&mut client, &report("jsonb_build_object('a', repeat('x', 8183))"), "running t t")
}

/// With such an index, each sign would write every index of the table.
fn no_index_contains_the_time_of_signs(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    let client = &mut client;
    expect(
        client,
        "SELECT count(*) FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid
         WHERE i.indrelid IN ('agent_task_queue'::regclass, 'multica_task_progress'::regclass, 'multica_task_unnamed'::regclass)
             AND a.attname IN ('last_heartbeat_at', 'signed_at', 'progress', 'recorded_at', 'missed_at', 'confirmed_at')
             AND a.attnum = ANY (i.indkey)",
        "0",
    )?;
    let updated = "SELECT pg_stat_get_xact_tuples_updated(t), pg_stat_get_xact_tuples_hot_updated(t)
                   FROM CAST('agent_task_queue'::regclass AS oid) AS t";
    client.batch_execute("BEGIN")?;
    let before = value(client, updated)?;
    let next = before.split(' ').map(|count| Ok((count.parse::<u64>()? + 1).to_string()));
    let next: Vec<String> = next.collect::<Result<_>>()?;
    client.batch_execute(&report("NULL"))?;
    expect(client, updated, &next.join(" "))?;
    Ok(client.batch_execute("ROLLBACK")?)
}

/// An application may hold an agent for minutes.
fn progress_waits_for_no_agent(context: &Context) -> Result<()> {
    let (database, mut client) = silent(context)?;
    let mut holder = database.connect()?;
    holder.batch_execute(&format!(
        "BEGIN; SELECT FROM agent FOR UPDATE; SELECT FROM agent_runtime FOR NO KEY UPDATE;
         SELECT FROM issue FOR UPDATE; SELECT FROM agent_task_queue WHERE id <> {} FOR UPDATE",
        id("e1")
    ))?;
    client.batch_execute(&format!("SET lock_timeout = '5s'; {}", report("'{\"step\": 1}'")))?;
    expect(&mut client, EVENTS, "{\"step\": 1}")
}

fn idle_task_fails_only_if_asked_for(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    let client = &mut client;
    sweep_fails(client, "0", "0")?;
    expect(client, "SELECT idle_timeout FROM multica_status()", "")?;
    client.batch_execute(&format!("UPDATE agent_task_queue SET last_heartbeat_at = {JUST_NOW}"))?;
    sweep_fails(client, "1s", "0")?;
    expect(client, "SELECT idle_timeout FROM multica_status()", "00:00:01")?;
    client.batch_execute("UPDATE agent_task_queue SET last_heartbeat_at = now() - interval '1 hour'")?;
    expect(client, "SELECT tasks_timed_out, tasks_retried FROM multica_sweep()", "1 1")?;
    expect(
        client,
        "SELECT attempt, status, failure_reason, error FROM agent_task_queue ORDER BY attempt",
        "1 failed idle_timeout task gave no sign of life\n2 queued  ",
    )
}

fn task_that_never_gave_a_sign_is_not_idle(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    client.batch_execute("UPDATE agent_task_queue SET last_heartbeat_at = NULL")?;
    sweep_fails(&mut client, "1s", "0")
}

/// Another claim of the task gave the sign.
fn sign_before_the_start_does_not_count(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    client.batch_execute("UPDATE agent_task_queue SET started_at = now() - interval '30 minutes'")?;
    sweep_fails(&mut client, "1s", "0")
}

fn pin_is_a_sign(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    client.batch_execute(&format!("SELECT multica_pin_session({}, 's')", id("e1")))?;
    expect(&mut client, "SELECT last_heartbeat_at > now() - interval '1 minute' FROM agent_task_queue", "t")
}

/// A laptop sleeps for longer than the timeout, and its agent goes on when it wakes up.
fn task_is_not_idle_while_its_machine_sleeps(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    let client = &mut client;
    let b1 = id("b1");
    client.batch_execute(&format!(
        "SET multica.offline_grace = '1d';
         UPDATE agent_runtime SET last_seen_at = now() - interval '50 minutes' WHERE id = {b1}"
    ))?;
    sweep_fails(client, "1s", "0")?;
    expect(client, &format!("SELECT status FROM agent_runtime WHERE id = {b1}"), "offline")?;
    let returned =
        "SELECT right(runtime_id::text, 2), returned_at > now() - interval '1 minute' FROM multica_runtime_return";
    expect(client, returned, "")?;
    client
        .batch_execute(&format!("SELECT FROM multica_heartbeat({b1}); SELECT FROM multica_heartbeat({})", id("b2")))?;
    expect(client, returned, "b1 t")?;
    client.batch_execute(&format!("UPDATE multica_runtime_return SET returned_at = {JUST_NOW}"))?;
    sweep_fails(client, "1s", "0")?;
    // A registration is a return too.
    client.batch_execute(&format!(
        "UPDATE multica_runtime_return SET returned_at = '2000-01-01';
         SELECT FROM multica_register({}, '{{\"daemon_id\": \"machine-1\", \"runtimes\": [{{\"type\": \"claude\"}}]}}')",
        id("a1")
    ))?;
    expect(client, returned, "b1 t")?;
    client.batch_execute("UPDATE multica_runtime_return SET returned_at = now() - interval '1 hour'")?;
    sweep_fails(client, "1s", "1")
}

/// While the server was down, no task could give a sign.
fn task_is_not_idle_because_of_an_outage(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    // The server started later than that, and less than 24 days ago.
    client.batch_execute(
        "UPDATE agent_task_queue SET dispatched_at = now(), started_at = '2000-01-01', last_heartbeat_at = '2000-01-02'",
    )?;
    sweep_fails(&mut client, "24d", "0")?;
    sweep_fails(&mut client, "1s", "1")
}

fn policy_decides_about_idle_tasks(context: &Context) -> Result<()> {
    let (_database, mut client) = silent(context)?;
    client.batch_execute(
        "INSERT INTO multica_retry_policy (reason, is_retried) VALUES ('idle_timeout', false);
         SET multica.idle_timeout = '1s'",
    )?;
    expect(&mut client, "SELECT tasks_timed_out, tasks_retried FROM multica_sweep()", "1 0")
}

const TASK: &str = "md5('task running')::uuid";

/// Returns the table and the column with the last sign of a task of a generation, and the column of its id.
fn place(client: &mut Client) -> Result<[&'static str; 3]> {
    let has_column = value(client, "SELECT 'task_beat' = ANY (features) FROM multica_status()")? == "t";
    Ok(match has_column {
        true => ["agent_task_queue", "last_heartbeat_at", "id"],
        false => ["multica_task_progress", "signed_at", "task_id"],
    })
}

/// Sets the last sign of the running task of a generation.
fn sign(client: &mut Client, at: &str) -> Result<()> {
    let [table, column, id] = place(client)?;
    Ok(client.batch_execute(&format!("UPDATE {table} SET {column} = {at} WHERE {id} = {TASK}"))?)
}

/// Fails unless the last sign of this task was given within the last minute.
fn has_signed(client: &mut Client) -> Result<()> {
    let [table, column, id] = place(client)?;
    expect(client, &format!("SELECT {column} > now() - interval '1 minute' FROM {table} WHERE {id} = {TASK}"), "t")
}

/// The running task of a generation runs for two hours, and its runtime has been there for as long.
fn running(client: &mut Client) -> Result<()> {
    Ok(client.batch_execute(&format!(
        "UPDATE agent_task_queue SET started_at = now() - interval '2 hours', dispatched_at = now() - interval '2 hours'
         WHERE id = {TASK};
         UPDATE agent_runtime SET last_seen_at = now(), updated_at = now() - interval '3 hours'
         WHERE id = md5('runtime online')::uuid;
         SET multica.running_timeout = '1d'"
    ))?)
}

fn silence_in_tables_of_servers(context: &Context) -> Result<()> {
    on_databases(context, &[], |_, client| {
        running(client)?;
        let failed = format!("SELECT failure_reason FROM agent_task_queue WHERE id = {TASK}");
        let sweep = "SET multica.idle_timeout = '1s'; SELECT FROM multica_sweep()";
        client.batch_execute(&format!("SELECT FROM multica_progress({TASK}, progress => '{{\"step\": 1}}')"))?;
        expect(client, EVENTS, "{\"step\": 1}")?;
        has_signed(client)?;
        // A pin is a sign too, where pins are not refused.
        sign(client, "'2000-01-01'")?;
        if client.batch_execute(&format!("SELECT multica_pin_session({TASK}, 's')")).is_ok() {
            has_signed(client)?;
        }
        sign(client, JUST_NOW)?;
        client.batch_execute(sweep)?;
        expect(client, &failed, "")?;
        // A sign that is in the future, because the clock was set back, counts from the next sweep on.
        sign(client, "now() + interval '1 day'")?;
        client.batch_execute(sweep)?;
        let [table, column, id] = place(client)?;
        let is_set_back = format!("SELECT {column} <= clock_timestamp() FROM {table} WHERE {id} = {TASK}");
        expect(client, &is_set_back, "t")?;
        expect(client, &failed, "")?;
        sign(client, "now() - interval '1 hour'")?;
        if value(client, "SELECT 'redis_era' = ANY (features) FROM multica_status()")? == "t" {
            // The runtime has come online, and the server wrote it.
            client.batch_execute(&format!("UPDATE agent_runtime SET updated_at = {JUST_NOW}; {sweep}"))?;
            expect(client, &failed, "")?;
            client.batch_execute("UPDATE agent_runtime SET updated_at = now() - interval '3 hours'")?;
        }
        client.batch_execute(sweep)?;
        expect(client, &failed, "idle_timeout")
    })
}

/// A call that gives a sign and is not committed yet holds the task.
fn sign_in_open_transaction_counts_in_tables_of_servers(context: &Context) -> Result<()> {
    on_databases(context, &[], |database, client| {
        running(client)?;
        client.batch_execute(&format!("SELECT FROM multica_progress({TASK})"))?;
        sign(client, "now() - interval '1 hour'")?;
        let mut agent = database.connect()?;
        agent.batch_execute(&format!("BEGIN; SELECT FROM multica_progress({TASK})"))?;
        client.batch_execute("SET multica.idle_timeout = '1s'; SELECT FROM multica_sweep()")?;
        let status = format!("SELECT status FROM agent_task_queue WHERE id = {TASK}");
        expect(client, &status, "running")?;
        agent.batch_execute("COMMIT")?;
        has_signed(client)
    })
}

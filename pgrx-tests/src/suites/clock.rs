//! A clock that was set back leaves timestamps in the future. Nevertheless a silent runtime must become stale, and a
//! runtime with heartbeats must stay online.

use anyhow::{Result, ensure};

use super::Suite;
use super::support::{expect, id, team, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    runtime_with_future_last_seen_at_goes_stale,
    heartbeat_keeps_runtime_with_future_last_seen_at_online,
    offline_runtime_with_future_last_seen_at_is_collected,
    task_with_future_start_times_out,
    time_correction_keeps_claim_token,
    sign_in_the_future_does_not_move_the_start,
    unnamed_task_with_future_time_begins_anew,
    future_refused_until_is_ignored,
    events_with_future_time_are_trimmed,
    idle_sweep_corrects_nothing,
];

/// A sweep sets a future `last_seen_at` to the present; the silence counts from that sweep.
fn runtime_with_future_last_seen_at_goes_stale(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let b1 = id("b1");
    for seen in ["now() + interval '1 day'", "'infinity'"] {
        client.batch_execute(&format!(
            "UPDATE agent_runtime SET status = 'online', last_seen_at = {seen} WHERE id = {b1};
             SELECT FROM multica_sweep()"
        ))?;
        let row = format!(
            "SELECT status || ' ' || (last_seen_at <= clock_timestamp())::text FROM agent_runtime WHERE id = {b1}"
        );
        expect(&mut client, &row, "online true")?;
        client.batch_execute(&format!(
            "UPDATE agent_runtime SET last_seen_at = last_seen_at - interval '1 hour' WHERE id = {b1};
             SELECT FROM multica_sweep()"
        ))?;
        expect(&mut client, &format!("SELECT status FROM agent_runtime WHERE id = {b1}"), "offline")?;
    }
    Ok(())
}

fn heartbeat_keeps_runtime_with_future_last_seen_at_online(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let b1 = id("b1");
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET last_seen_at = now() + interval '1 day' WHERE id = {b1};
         SELECT FROM multica_heartbeat({b1}); SELECT FROM multica_sweep()"
    ))?;
    expect(&mut client, &format!("SELECT status FROM agent_runtime WHERE id = {b1}"), "online")
}

fn offline_runtime_with_future_last_seen_at_is_collected(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let b2 = id("b2");
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET status = 'offline', last_seen_at = now() + interval '1 day' WHERE id = {b2};
         SELECT FROM multica_sweep();
         UPDATE agent_runtime SET last_seen_at = last_seen_at - interval '1 year' WHERE id = {b2};
         SELECT FROM multica_sweep()"
    ))?;
    expect(&mut client, &format!("SELECT count(*) FROM agent_runtime WHERE id = {b2}"), "0")
}

fn task_with_future_start_times_out(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'running'), task('e2', status => 'dispatched', agent => 'c2');
         UPDATE agent_task_queue SET dispatched_at = dispatched_at + interval '1 day', started_at = started_at + interval '1 day',
             max_attempts = 1;
         SELECT FROM multica_sweep();
         UPDATE agent_task_queue SET started_at = started_at - interval '4 hours';
         UPDATE agent_task_queue SET dispatched_at = dispatched_at - interval '4 hours' WHERE status = 'dispatched';
         UPDATE agent_runtime SET last_seen_at = clock_timestamp();
         SELECT FROM multica_sweep()",
    )?;
    let failed =
        "SELECT string_agg(right(id::text, 2) || ' ' || failure_reason, ' ' ORDER BY id) FROM agent_task_queue";
    expect(&mut client, failed, "e1 timeout e2 timeout")
}

/// `dispatched_at` is the claim token: a sweep must not correct it, or the daemon could not complete its task.
fn time_correction_keeps_claim_token(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'running');
         UPDATE agent_task_queue SET dispatched_at = dispatched_at + interval '1 day', started_at = started_at + interval '1 day'",
    )?;
    let token =
        value(&mut client, "SELECT (extract(epoch FROM dispatched_at) * 1000000)::bigint FROM agent_task_queue")?;
    client.batch_execute("SELECT FROM multica_sweep()")?;
    expect(&mut client, "SELECT started_at <= clock_timestamp() FROM agent_task_queue", "t")?;
    let complete = format!("SELECT applied FROM multica_complete({}, claim_token => {token})", id("e1"));
    expect(&mut client, &complete, "t")
}

/// Only the sign is set back. A task that gives no further sign is idle from then on.
fn sign_in_the_future_does_not_move_the_start(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'running');
         UPDATE agent_task_queue SET started_at = now() - interval '1 hour', dispatched_at = now() - interval '1 hour',
             last_heartbeat_at = now() + interval '1 day';
         SELECT FROM multica_sweep()",
    )?;
    let times = "SELECT started_at < now() - interval '30 minutes', last_heartbeat_at <= clock_timestamp() FROM agent_task_queue";
    expect(&mut client, times, "t t")?;
    client.batch_execute(
        "UPDATE agent_task_queue SET last_heartbeat_at = last_heartbeat_at - interval '10 minutes';
         SET multica.idle_timeout = '100ms'; SELECT FROM multica_sweep()",
    )?;
    expect(&mut client, "SELECT failure_reason FROM agent_task_queue WHERE attempt = 1", "idle_timeout")
}

fn unnamed_task_with_future_time_begins_anew(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let beat = format!("SELECT FROM multica_heartbeat({}, '{{}}')", id("b1"));
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running'); {beat};
         UPDATE multica_task_unnamed SET missed_at = now() + interval '1 day'; {beat}"
    ))?;
    let row = "SELECT missed_at <= clock_timestamp(), confirmed_at > missed_at FROM multica_task_unnamed";
    expect(&mut client, row, "t ")?;
    client.batch_execute(&beat)?;
    expect(&mut client, row, "t t")
}

fn future_refused_until_is_ignored(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "INSERT INTO multica_sweep_state (refused_ids, refused_until)
         VALUES (ARRAY[{b1}::uuid], now() + interval '1 day');
         UPDATE agent_runtime SET last_seen_at = '2020-01-01' WHERE id = {b1}",
        b1 = id("b1")
    ))?;
    expect(&mut client, "SELECT refused_ids FROM multica_status()", "{}")?;
    expect(&mut client, "SELECT runtimes_offline FROM multica_sweep()", "1")
}

fn events_with_future_time_are_trimmed(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "INSERT INTO multica_sweep_state DEFAULT VALUES;
         INSERT INTO multica_event_log (created_at, type, payload)
         SELECT now() + g.age, 'test', '{}'
         FROM (VALUES (interval '-1 year'), (interval '1 day'), (interval '2 days'), (interval '-1 year'), (interval '1 day'),
               (interval '-1 second')) AS g (age);
         SELECT FROM multica_sweep()",
    )?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log WHERE type = 'test'", "5")?;
    client.batch_execute("SELECT FROM multica_sweep()")?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log WHERE type = 'test'", "2")
}

fn idle_sweep_corrects_nothing(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'running');
         UPDATE agent_runtime SET last_seen_at = clock_timestamp() + interval '20 seconds'",
    )?;
    let seen = value(&mut client, "SELECT max(last_seen_at) FROM agent_runtime")?;
    let id =
        value(&mut client, "SELECT COALESCE(pg_current_xact_id_if_assigned()::text, 'none') FROM multica_sweep()")?;
    ensure!(id == "none", "an idle sweep assigns transaction id {id}");
    expect(&mut client, "SELECT max(last_seen_at) FROM agent_runtime", &seen)
}

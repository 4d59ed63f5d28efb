//! Runs that do not go on: the error is `final`, and the end of such a run changes nothing.

use anyhow::{Context as _, Result, bail, ensure};
use postgres::Client;

use super::{Run, STORY, asleep, claim, run, sleep};
use crate::context::Context;
use crate::suites::support::{expect, id, team, value, values};

/// Returns the word of an error; empty if it has none.
pub fn word(error: &postgres::Error) -> &str {
    error.as_db_error().and_then(|error| error.constraint()).unwrap_or_default()
}

/// Fails unless the run cannot go on: the heartbeat says so, resume is refused with this word, and completing or failing
/// the task returns it as it is. Nothing changes.
fn is_over(client: &mut Client, run: &Run, why: &str) -> Result<()> {
    over(client, run, why).with_context(|| format!("the run must end because of {why}"))
}

fn over(client: &mut Client, run: &Run, why: &str) -> Result<()> {
    let state = "SELECT t.* FROM agent_task_queue AS t ORDER BY t.id";
    let before = values(client, state)?;
    expect(
        client,
        &format!("SELECT stop_task_ids = ARRAY[{}::uuid], resume_task_ids FROM {}", run.task, run.heartbeat()),
        "t {}",
    )?;
    let Err(error) = client.batch_execute(&format!("SELECT FROM {}", run.resume())) else { bail!("it is resumed") };
    let hint = error.as_db_error().and_then(|error| error.hint()).unwrap_or_default();
    ensure!(word(&error) == "final" && hint.contains("Stop working"), "{error:?}");
    // The end of a run takes no place.
    if !["full agent", "limit"].contains(&why) {
        let id = format!("id = {}", run.task);
        expect(client, &format!("SELECT {id}, applied FROM {}", run.complete()), "t f")?;
        let fail = format!("multica_fail({}, 'e', claim_token => {})", run.task, run.token);
        expect(client, &format!("SELECT {id}, applied FROM {fail}"), "t f")?;
    }
    ensure!(values(client, state)? == before, "a task has changed");
    Ok(())
}

/// The daemon has claimed the retry before it asked whether the run can go on, or a server handed it out.
pub fn claimed_retry_is_not_taken_over(context: &Context) -> Result<()> {
    let (_database, mut client, late) = asleep(context)?;
    let retry = claim(&mut client, "")?;
    is_over(&mut client, &late, "a claim of the retry")?;
    client.batch_execute(&format!("SELECT FROM multica_start({}, {})", retry.task, retry.token))?;
    is_over(&mut client, &late, "a start of the retry")?;
    // The times of the claim and of the start prove nothing.
    client.batch_execute("UPDATE agent_task_queue SET started_at = dispatched_at WHERE status = 'running'")?;
    is_over(&mut client, &late, "a claim that looks like a resume")?;
    expect(&mut client, &format!("SELECT status, applied FROM {}", retry.complete()), "completed t")?;
    is_over(&mut client, &late, "the end of the retry")?;
    // The record of a claim says nothing about a later one.
    let (_database, mut client, late) = asleep(context)?;
    client.batch_execute(&format!("SELECT FROM {}", late.resume()))?;
    client.batch_execute("UPDATE agent_task_queue SET dispatched_at = now() WHERE status = 'running'")?;
    is_over(&mut client, &late, "a later claim of the retry")
}

pub fn work_that_is_no_longer_wanted_is_refused(context: &Context) -> Result<()> {
    for (why, change) in [
        ("archived agent", "UPDATE agent SET archived_at = now()".to_string()),
        ("moved agent", format!("UPDATE agent SET runtime_id = {}", id("b2"))),
        ("moved retry", format!("UPDATE agent_task_queue SET runtime_id = {} WHERE attempt = 2", id("b2"))),
        ("cancelled retry", "SELECT FROM agent_task_queue AS t, multica_cancel(t.id) WHERE t.attempt = 2".into()),
        ("rerun", format!("SELECT FROM multica_rerun({})", id("d1"))),
        ("retry of another issue", format!("UPDATE agent_task_queue SET issue_id = {} WHERE attempt = 2", id("d2"))),
        (
            "retry with another comment",
            format!("UPDATE agent_task_queue SET trigger_comment_id = {} WHERE attempt = 2", id("81")),
        ),
        ("deleted retry", "DELETE FROM agent_task_queue WHERE attempt = 2".into()),
        (
            "two retries",
            "INSERT INTO agent_task_queue (agent_id, runtime_id, parent_task_id, context)
                         SELECT agent_id, runtime_id, id, '{}' FROM agent_task_queue WHERE attempt = 1"
                .into(),
        ),
        ("another reason", "UPDATE agent_task_queue SET failure_reason = 'runtime_recovery' WHERE attempt = 1".into()),
        ("another error", "UPDATE agent_task_queue SET error = 'the agent says so' WHERE attempt = 1".into()),
    ] {
        let (_database, mut client, late) = asleep(context)?;
        client.batch_execute(&change)?;
        is_over(&mut client, &late, why)?;
    }
    // The token is not that of the last claim.
    let (_database, mut client, late) = asleep(context)?;
    client.batch_execute("UPDATE agent_task_queue SET dispatched_at = now() WHERE attempt = 1")?;
    let Err(error) = client.batch_execute(&format!("SELECT FROM {}", late.resume())) else { bail!("it is resumed") };
    ensure!(word(&error) == "final", "{error:?}");
    expect(&mut client, &format!("SELECT attempt, applied FROM {}", late.complete()), "1 f")?;
    // The last attempt has no retry, and neither has a task of an autopilot run.
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_issue({}), multica_enqueue_autopilot({}); UPDATE agent_task_queue SET max_attempts = 1",
        id("d1"),
        id("71")
    ))?;
    let runs = [run(&mut client)?, run(&mut client)?];
    sleep(&mut client)?;
    for late in &runs {
        is_over(&mut client, late, "a final verdict")?;
    }
    Ok(())
}

/// A turn of the chat is in flight, or a newer task of the pair waits beside a deferred retry.
pub fn retry_with_newer_work_is_refused(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!("SELECT FROM multica_enqueue_chat({})", id("51")))?;
    let late = run(&mut client)?;
    sleep(&mut client)?;
    client.batch_execute(&format!(
        "SELECT task('e1', agent => 'c2', status => 'running'); UPDATE agent_task_queue SET chat_session_id = {} WHERE id = {}",
        id("51"),
        id("e1")
    ))?;
    is_over(&mut client, &late, "a turn in flight")?;
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "INSERT INTO multica_retry_policy (reason, delay_secs) VALUES ('runtime_offline', 3600);
         SELECT FROM multica_enqueue_issue({})",
        id("d1")
    ))?;
    let late = run(&mut client)?;
    sleep(&mut client)?;
    expect(&mut client, STORY, "1 failed runtime_offline\n2 deferred ")?;
    client.batch_execute(&format!(
        "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id) VALUES ({}, {}, {})",
        id("c1"),
        id("b1"),
        id("d1")
    ))?;
    is_over(&mut client, &late, "a newer task")?;
    client.batch_execute(
        "UPDATE agent_task_queue SET status = 'running', dispatched_at = now() WHERE status = 'queued'",
    )?;
    is_over(&mut client, &late, "a newer task in flight")
}

/// The run would exceed the limit of its agent.
pub fn full_agent_gets_no_run_back(context: &Context) -> Result<()> {
    let (_database, mut client, late) = asleep(context)?;
    client.batch_execute("UPDATE agent SET max_concurrent_tasks = 1; SELECT task('e1', status => 'running')")?;
    is_over(&mut client, &late, "full agent")?;
    client.batch_execute("UPDATE agent SET max_concurrent_tasks = 2")?;
    expect(&mut client, &format!("SELECT attempt, status FROM {}", late.resume()), "2 running")
}

/// As many tasks are in flight as a limit allows. Only the late result is kept, because it takes no place.
pub fn limit_gives_no_run_back(context: &Context) -> Result<()> {
    let (_database, mut client, late) = asleep(context)?;
    for (scope, key) in [("runtime", id("b1")), ("workspace", id("a1")), ("provider", "'claude'".into())] {
        client.batch_execute(&format!("SELECT multica_limit('{scope}', {key}::text, 0)"))?;
        is_over(&mut client, &late, "limit")?;
        client.batch_execute(&format!("SELECT multica_limit('{scope}', {key}::text)"))?;
    }
    client.batch_execute("SELECT multica_limit('provider', 'claude', 1)")?;
    expect(&mut client, &format!("SELECT attempt, status FROM {}", late.resume()), "2 running")?;
    let (_database, mut client, late) = asleep(context)?;
    client.batch_execute("SELECT multica_limit('provider', 'claude', 0)")?;
    expect(&mut client, &format!("SELECT attempt, status FROM {}", late.complete()), "2 completed")
}

/// The daemon has set its runtime offline because it cannot run any task. Only the late result is kept.
pub fn runtime_that_cannot_run_tasks_gets_no_run_back(context: &Context) -> Result<()> {
    let (_database, mut client, late) = asleep(context)?;
    client.batch_execute(&format!(
        "SELECT multica_set_runtime_offline({}, '{{\"code\": \"not_executable\"}}')",
        id("b1")
    ))?;
    let Err(error) = client.batch_execute(&format!("SELECT FROM {}", late.resume())) else { bail!("it is resumed") };
    ensure!(word(&error) == "final", "{error:?}");
    expect(&mut client, &format!("SELECT status FROM agent_runtime WHERE id = {}", id("b1")), "offline")?;
    expect(&mut client, &format!("SELECT attempt, status FROM {}", late.complete()), "2 completed")
}

/// Another process has registered the runtime while the machine slept. The former process is told to stop, and the
/// retry is left to the new one.
pub fn replaced_process_takes_over_nothing(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let [first, second] = ["'00000000-0000-4000-8000-0000000000f8'", "'00000000-0000-4000-8000-0000000000f9'"];
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_issue({}); INSERT INTO multica_runtime_incarnation VALUES ({}, {first}, now())",
        id("d1"),
        id("b1")
    ))?;
    let late = claim(&mut client, &format!(", {first}"))?;
    client.batch_execute(&format!("SELECT FROM multica_start({}, {})", late.task, late.token))?;
    sleep(&mut client)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_register({}, jsonb_build_object('daemon_id', 'machine-1', 'recover', true, 'incarnation', {second}::uuid,
             'runtimes', '[{{\"type\": \"claude\"}}]'::jsonb))",
        id("a1")
    ))?;
    // The housekeeping has run meanwhile.
    client.batch_execute("SELECT FROM multica_sweep()")?;
    let seen = "SELECT last_seen_at FROM agent_runtime ORDER BY id";
    client.batch_execute("UPDATE agent_runtime SET last_seen_at = now() - interval '40 s'")?;
    let before = values(&mut client, seen)?;
    let Err(error) = client.batch_execute(&format!("SELECT FROM {}", late.resume())) else { bail!("it is resumed") };
    ensure!(word(&error) == "superseded", "{error:?}");
    ensure!(values(&mut client, seen)? == before, "the replaced process has written a heartbeat");
    expect(&mut client, &format!("SELECT attempt, applied FROM {}", late.complete()), "1 f")?;
    expect(&mut client, &format!("SELECT resume_task_ids FROM {}", late.heartbeat()), "{}")?;
    let claimed = value(&mut client, &format!("SELECT attempt FROM multica_claim({}, 1, {second})", id("b1")))?;
    ensure!(claimed == "2", "{claimed}");
    Ok(())
}

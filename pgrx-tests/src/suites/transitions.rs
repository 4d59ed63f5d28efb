//! The fields of a queued task, and the transitions that a task allows.

use anyhow::{Context as _, Result, ensure};

use super::Suite;
use super::support::{digest, expect, id, team, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    enqueue_copies_fields_of_source,
    enqueue_returns_pending_task,
    illegal_transition_error_names_status,
    ended_tasks_are_returned_unchanged,
    column_of_a_user_replaces_no_result,
    runs_end_although_the_issue_has_the_status,
    session_that_a_late_pin_gives_up_is_not_resumed,
];

fn enqueue_copies_fields_of_source(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!("UPDATE issue SET priority = 'medium' WHERE id = {}", id("d2")))?;
    for (call, expected) in [
        (format!("multica_enqueue({}, '{{\"a\": 1}}', 7, 5)", id("c2")), "c2 b1     7 5 {\"a\": 1}"),
        (format!("multica_enqueue({})", id("c2")), "c2 b1     0 2 {}"),
        (format!("multica_enqueue_issue({}, {})", id("d1"), id("81")), "c1 b1 d1   81 0 2 "),
        (format!("multica_enqueue_issue({})", id("d2")), "c1 b1 d2    2 2 "),
        (
            format!("multica_enqueue_issue({}, priority => -3, max_attempts => 1, context => '[]')", id("d3")),
            "c1 b1 d3    -3 1 []",
        ),
        (format!("multica_enqueue_mention({}, {})", id("d3"), id("c2")), "c2 b1 d3    3 2 "),
        (format!("multica_enqueue_mention({}, {}, {})", id("d1"), id("c2"), id("81")), "c2 b1 d1   81 0 2 "),
        (format!("multica_enqueue_issue({})", id("d4")), "c1 b1 d4    4 2 "),
        (format!("multica_enqueue_chat({})", id("51")), "c1 b1  51   2 2 "),
        (format!("multica_enqueue_autopilot({})", id("71")), "c1 b1   71  2 2 "),
    ] {
        let enqueued = value(&mut client, &format!("SELECT task_id FROM {call}"))?;
        let sql = format!(
            "SELECT right(agent_id::text, 2), right(runtime_id::text, 2), right(issue_id::text, 2), right(chat_session_id::text, 2),
                    right(autopilot_run_id::text, 2), right(trigger_comment_id::text, 2), priority, max_attempts, context
             FROM multica_get_task('{enqueued}')
             WHERE status = 'queued' AND attempt = 1 AND parent_task_id IS NULL AND session_id IS NULL AND dispatched_at IS NULL"
        );
        expect(&mut client, &sql, expected)?;
    }
    Ok(())
}

fn enqueue_returns_pending_task(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let first = value(&mut client, &format!("SELECT task_id FROM multica_enqueue_issue({}, {})", id("d1"), id("81")))?;
    let again = format!("SELECT task_id = '{first}', created FROM multica_enqueue_issue({}, priority => 9)", id("d1"));
    expect(&mut client, &again, "t f")?;
    let mention =
        format!("SELECT task_id = '{first}', created FROM multica_enqueue_mention({}, {})", id("d1"), id("c1"));
    expect(&mut client, &mention, "t f")?;
    expect(&mut client, "SELECT right(trigger_comment_id::text, 2), priority FROM agent_task_queue", "81 0")?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log", "1")?;
    client.batch_execute(&format!("SELECT FROM multica_claim({})", id("b1")))?;
    expect(&mut client, &again, "t f")?;
    client.batch_execute(&format!("SELECT FROM multica_start('{first}')"))?;
    // A running task is not pending, so the next enqueue creates a task that waits for it.
    expect(&mut client, &again, "f t")
}

/// How an error names the statuses from which a task is started.
const STARTABLE: &str = "dispatched or waiting_local_directory";

fn illegal_transition_error_names_status(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1'), task('e2', status => 'dispatched'), task('e3', status => 'running'),
                task('e4', status => 'completed'), task('e5', status => 'failed'), task('e6', status => 'cancelled')",
    )?;
    for (label, call, state, allowed) in [
        ("e1", "start", "queued", STARTABLE),
        ("e3", "start", "running", STARTABLE),
        ("e4", "start", "completed", STARTABLE),
        ("e5", "start", "failed", STARTABLE),
        ("e6", "start", "cancelled", STARTABLE),
        ("e1", "extend_lease", "queued", STARTABLE),
        ("e3", "extend_lease", "running", STARTABLE),
        ("e1", "wait", "queued", "dispatched"),
        ("e3", "wait", "running", "dispatched"),
        ("e6", "wait", "cancelled", "dispatched"),
        ("e3", "requeue", "running", "dispatched"),
        ("e4", "requeue", "completed", "dispatched"),
        ("e1", "complete", "queued", "running"),
        ("e2", "complete", "dispatched", "running"),
        ("e1", "fail", "queued", "dispatched, running or waiting_local_directory"),
    ] {
        let more = if call == "fail" { ", 'x'" } else { "" };
        let sql = format!("SELECT FROM multica_{call}({}{more})", id(label));
        let error = client.batch_execute(&sql).err().with_context(|| format!("{sql} succeeds"))?;
        let error = error.as_db_error().context("an error of the server")?;
        ensure!(error.code().code() == "55000", "{sql}: {error:?}");
        let detail = error.detail().unwrap_or_default();
        ensure!(
            detail.contains(&format!("It is {state};")) && detail.contains(&format!("a task that is {allowed} can be")),
            "{sql}: {detail}"
        );
        ensure!(error.hint().is_some(), "{sql} has no hint");
    }
    Ok(())
}

fn ended_tasks_are_returned_unchanged(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e4', status => 'completed'), task('e5', status => 'failed'), task('e6', status => 'cancelled');
         UPDATE agent_task_queue SET completed_at = now(), session_id = 's', result = '1', failure_reason = 'timeout', attempt = 2",
    )?;
    let before = digest(context, &database)?;
    for (label, status) in [("e4", "completed"), ("e5", "failed"), ("e6", "cancelled")] {
        let task = id(label);
        for call in [
            format!("multica_complete({task}, '2', 'other', '/other')"),
            format!("multica_complete({task}, claim_token => 1)"),
            format!("multica_fail({task}, 'x', 'timeout', 'other', '/other')"),
            format!("multica_cancel({task})"),
        ] {
            let sql = format!("SELECT status, applied, retry_task_id, first_execution, session_id, result FROM {call}");
            expect(&mut client, &sql, &format!("{status} f  f s 1"))?;
        }
        expect(&mut client, &format!("SELECT multica_pin_session({task}, 'other')"), "f")?;
    }
    ensure!(digest(context, &database)? == before, "an ended task was changed");
    Ok(())
}

/// A user, or a later server, has added columns with the names of what the calls return besides the columns of the task.
fn column_of_a_user_replaces_no_result(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "ALTER TABLE agent_task_queue ADD COLUMN workspace_id uuid, ADD COLUMN applied text, ADD COLUMN first_execution text,
             ADD COLUMN retry_task_id text, ADD COLUMN prior_session_id int, ADD COLUMN prior_work_dir int;
         SELECT FROM multica_enqueue_issue({})",
        id("d1")
    ))?;
    let task = value(&mut client, &format!("SELECT id FROM multica_claim({})", id("b1")))?;
    for call in ["extend_lease", "wait", "start", "progress"] {
        expect(&mut client, &format!("SELECT applied, first_execution FROM multica_{call}('{task}')"), "t f")?;
    }
    let token = format!("SELECT EXTRACT(EPOCH FROM dispatched_at) * 1000000 FROM agent_task_queue WHERE id = '{task}'");
    let resume = format!("SELECT workspace_id, prior_session_id FROM multica_resume('{task}', ({token})::bigint)");
    expect(&mut client, &resume, &format!("{} ", id("a1").trim_matches('\'')))?;
    expect(&mut client, &format!("SELECT applied, first_execution FROM multica_complete('{task}')"), "t t")?;
    expect(&mut client, &format!("SELECT applied FROM multica_complete('{task}')"), "f")?;
    expect(&mut client, "SELECT count(*) > 3, bool_and(workspace_id IS NOT NULL) FROM multica_event_log", "t t")
}

/// The agent has set the status of its issue itself.
fn runs_end_although_the_issue_has_the_status(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_issue({issue}); UPDATE autopilot_run SET issue_id = {issue}, status = 'issue_created';
         SELECT c.id FROM multica_claim({}) AS c, multica_start(c.id);
         UPDATE issue SET status = 'in_review' WHERE id = {issue}",
        id("b1"),
        issue = id("d1"),
    ))?;
    let complete =
        "SELECT c.status FROM agent_task_queue AS t, multica_complete(t.id, issue_status => 'in_review') AS c";
    expect(&mut client, complete, "completed")?;
    expect(&mut client, &format!("SELECT status FROM autopilot_run WHERE id = {}", id("71")), "completed")?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log WHERE type = 'issue:updated'", "0")
}

/// The daemon of a cancelled task reports late that the session is lost, or that the run has given it up.
fn session_that_a_late_pin_gives_up_is_not_resumed(context: &Context) -> Result<()> {
    for late in [
        "'session', extra => '{\"session_rollout_missing\": true}'",
        "extra => '{\"session_rollout_missing\": true}'",
        "extra => '{\"retired_session_id\": \"session\"}'",
    ] {
        let (_database, mut client) = team(context)?;
        client.batch_execute(&format!(
            "SELECT FROM multica_enqueue_issue({issue});
             SELECT multica_pin_session(c.id, 'session') FROM multica_claim({runtime}) AS c, multica_start(c.id);
             SELECT FROM agent_task_queue AS t, multica_cancel(t.id)",
            issue = id("d1"),
            runtime = id("b1"),
        ))?;
        let pin = format!("SELECT multica_pin_session(t.id, {late}) FROM agent_task_queue AS t");
        expect(&mut client, &pin, "t").with_context(|| late.to_string())?;
        expect(&mut client, &pin, "f").with_context(|| late.to_string())?;
        client.batch_execute(&format!("SELECT FROM multica_enqueue_issue({})", id("d1")))?;
        let claim = format!("SELECT prior_session_id IS NULL FROM multica_claim({})", id("b1"));
        expect(&mut client, &claim, "t").with_context(|| late.to_string())?;
    }
    Ok(())
}

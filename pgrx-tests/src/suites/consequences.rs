//! Consequences of the end of a task: for its issue, its chat, its autopilot run and its retry.

use anyhow::{Result, ensure};

use super::Suite;
use super::support::{expect, id, team, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    first_executed_at_is_set_once,
    chat_keeps_session_of_its_last_turn,
    autopilot_run_ends_with_its_task,
    late_failure_makes_no_retry_after_a_later_task,
    cancelled_queued_task_prevents_no_retry,
];

/// Returns the one active task.
const ACTIVE: &str = "SELECT id FROM agent_task_queue WHERE status IN ('queued', 'dispatched', 'running')";

/// The columns that make a task one of an issue, or one of a chat.
const SUBJECTS: [&str; 2] =
    ["issue_id = '00000000-0000-4000-8000-0000000000d1'", "chat_session_id = '00000000-0000-4000-8000-000000000051'"];

fn first_executed_at_is_set_once(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let round = format!(
        "SELECT FROM multica_enqueue_issue({}); SELECT FROM multica_claim({}); SELECT FROM multica_start(({ACTIVE}))",
        id("d1"),
        id("b1")
    );
    let first_executed = format!("SELECT first_executed_at FROM issue WHERE id = {}", id("d1"));
    client.batch_execute(&round)?;
    ensure!(value(&mut client, &first_executed)?.is_empty(), "first_executed_at was set by the start");
    let task = value(&mut client, ACTIVE)?;
    let complete = format!("SELECT applied, first_execution FROM multica_complete('{task}')");
    expect(&mut client, &complete, "t t")?;
    let first = value(&mut client, &first_executed)?;
    ensure!(!first.is_empty(), "first_executed_at was not set");
    expect(&mut client, &complete, "f f")?;
    client.batch_execute(&round)?;
    expect(&mut client, &format!("SELECT applied, first_execution FROM multica_complete(({ACTIVE}))"), "t f")?;
    expect(&mut client, &first_executed, &first)
}

fn chat_keeps_session_of_its_last_turn(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let pointer = format!("SELECT session_id, work_dir FROM chat_session WHERE id = {}", id("51"));
    for (end, expected) in [
        ("multica_complete(({}), session_id => 'one', work_dir => '/one')", "one /one"),
        ("multica_complete(({}), session_id => '', work_dir => '')", "one /one"),
        ("multica_fail(({}), 'x', session_id => 'two')", "two /one"),
        ("multica_fail(({}), 'x', work_dir => '/two')", "two /two"),
        ("multica_complete(({}))", "two /two"),
    ] {
        client.batch_execute(&format!(
            "SELECT FROM multica_enqueue_chat({}); SELECT FROM multica_claim({}); SELECT FROM multica_start(({ACTIVE}));
             SELECT FROM {}",
            id("51"),
            id("b1"),
            end.replace("{}", ACTIVE)
        ))?;
        expect(&mut client, &pointer, expected)?;
    }
    // A turn that was cancelled while it was queued leaves the chat's session unchanged.
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_chat({}); UPDATE agent_task_queue SET session_id = 'old' WHERE status = 'queued';
         SELECT FROM multica_cancel(({ACTIVE}))",
        id("51")
    ))?;
    expect(&mut client, &pointer, "two /two")?;
    // A failed turn that is handled after the end of a later turn is not the last turn.
    client.batch_execute(
        "UPDATE agent_task_queue SET status = 'failed', failure_reason = 'agent_error' WHERE session_id = 'one';
         SELECT FROM multica_handle_failed_tasks(ARRAY(SELECT id FROM agent_task_queue WHERE session_id = 'one'))",
    )?;
    expect(&mut client, &pointer, "two /two")
}

fn autopilot_run_ends_with_its_task(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let run = "SELECT status, result, failure_reason, completed_at IS NOT NULL FROM autopilot_run";
    for (end, expected) in [
        ("multica_complete(({}), '{\"n\": 1}')", "completed {\"n\": 1}  t"),
        ("multica_fail(({}), 'no luck')", "failed  no luck t"),
        ("multica_fail(({}), 'gone', 'runtime_offline')", "failed  gone t"),
        ("multica_cancel(({}))", "failed  task cancelled t"),
    ] {
        client.batch_execute(&format!(
            "UPDATE autopilot_run SET status = 'running', task_id = NULL, result = NULL, failure_reason = NULL, completed_at = NULL;
             SELECT FROM multica_enqueue_autopilot({}, context => '{{}}'); SELECT FROM multica_claim({}); SELECT FROM multica_start(({ACTIVE}))",
            id("71"),
            id("b1")
        ))?;
        expect(&mut client, &format!("SELECT task_id = ({ACTIVE}) FROM autopilot_run"), "t")?;
        expect(
            &mut client,
            &format!("SELECT task_id = ({ACTIVE}), created FROM multica_enqueue_autopilot({})", id("71")),
            "t f",
        )?;
        client.batch_execute(&format!("SELECT FROM {}", end.replace("{}", ACTIVE)))?;
        expect(&mut client, run, expected)?;
        // A task of an autopilot run is never retried.
        expect(&mut client, &format!("SELECT count(*) FROM ({ACTIVE}) AS a"), "0")?;
    }
    Ok(())
}

fn late_failure_makes_no_retry_after_a_later_task(context: &Context) -> Result<()> {
    for subject in SUBJECTS {
        let (_database, mut client) = team(context)?;
        client.batch_execute(&format!(
            "SELECT task('e1', status => 'running'), task('e2'); UPDATE agent_task_queue SET {subject};
             SELECT FROM multica_fail({}, 'x', 'agent_error')",
            id("e1")
        ))?;
        client.batch_execute(&format!(
            "SELECT FROM multica_claim({}); UPDATE agent_task_queue SET failure_reason = 'timeout' WHERE status = 'failed'",
            id("b1")
        ))?;
        // The later task is running, then completed. In both cases a retry would repeat its work.
        for step in ["start", "complete"] {
            client.batch_execute(&format!("SELECT FROM multica_{step}({})", id("e2")))?;
            let handle = format!("SELECT retried FROM multica_handle_failed_tasks(ARRAY[{}::uuid])", id("e1"));
            expect(&mut client, &handle, "0")?;
            expect(&mut client, &format!("SELECT count(*) FROM multica_retry({})", id("e1")), "0")?;
        }
    }
    Ok(())
}

fn cancelled_queued_task_prevents_no_retry(context: &Context) -> Result<()> {
    for subject in SUBJECTS {
        let (_database, mut client) = team(context)?;
        // The queued task is cancelled after the sweep has read its clock, so completed_at is later than the sweep's
        // time.
        client.batch_execute(&format!(
            "SELECT task('e1', status => 'running'), task('e2'); UPDATE agent_task_queue SET {subject};
             SELECT FROM multica_cancel({});
             UPDATE agent_task_queue SET completed_at = now() + interval '1 second' WHERE status = 'cancelled'",
            id("e2")
        ))?;
        let fail = format!("SELECT retry_task_id IS NOT NULL FROM multica_fail({}, 'x', 'timeout')", id("e1"));
        expect(&mut client, &fail, "t")?;
    }
    Ok(())
}

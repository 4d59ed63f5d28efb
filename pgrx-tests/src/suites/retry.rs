//! The retry of a failed task: when there is one, and which fields it has.

use anyhow::Result;

use super::Suite;
use super::support::{dead_machine, expect, id};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    one_retry_per_task_up_to_max_attempts,
    only_runtime_failures_and_timeouts_are_retried,
    task_without_source_is_retried_only_with_context,
    pending_task_replaces_retry,
    late_failure_of_completed_work_is_not_retried,
    retry_copies_session_and_task_fields,
    retries_keep_order_of_parents,
];

/// The attempt of a retry is that of its parent plus one, and at most the limit, however often runtimes become stale
/// (I6).
fn one_retry_per_task_up_to_max_attempts(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("UPDATE agent_task_queue SET max_attempts = 3 WHERE max_attempts = 2")?;
    for _death in 0..4 {
        client.batch_execute(
            "SELECT * FROM multica_sweep();
             UPDATE agent_task_queue SET status = 'running', dispatched_at = now(), started_at = now()
             WHERE status = 'queued' AND parent_task_id IS NOT NULL",
        )?;
    }
    expect(
        &mut client,
        "SELECT right(first.id::text, 2), first.attempt, second.attempt, third.attempt, count(*)
         FROM agent_task_queue AS first
         JOIN agent_task_queue AS second ON second.parent_task_id = first.id
         LEFT JOIN agent_task_queue AS third ON third.parent_task_id = second.id
         WHERE first.parent_task_id IS NULL GROUP BY 1, 2, 3, 4 ORDER BY 1",
        "e1 1 2 3 1\ne4 2 3  1\ne6 1 2 3 1\ne8 1 2 3 1\ne9 1 2 3 1",
    )?;
    expect(&mut client, "SELECT max(attempt) FROM agent_task_queue", "3")
}

/// Tasks of an autopilot run, cancelled and completed tasks, and failures of the agent itself get no retry (I8).
fn only_runtime_failures_and_timeouts_are_retried(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "UPDATE agent_task_queue SET completed_at = now(), failure_reason = CASE right(id::text, 2)
             WHEN 'e1' THEN 'agent_error' WHEN 'e9' THEN NULL ELSE 'runtime_offline' END,
         status = CASE right(id::text, 2)
             WHEN 'e1' THEN 'failed' WHEN 'e6' THEN 'cancelled' WHEN 'e8' THEN 'completed' WHEN 'e9' THEN 'failed'
             ELSE status END
         WHERE right(id::text, 2) IN ('e1', 'e6', 'e8', 'e9')",
    )?;
    let all = "SELECT retried FROM multica_handle_failed_tasks(ARRAY(SELECT id FROM agent_task_queue))";
    expect(&mut client, all, "0")?;
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    expect(&mut client, all, "0")?;
    expect(&mut client, "SELECT count(*) FROM agent_task_queue WHERE parent_task_id IS NOT NULL", "0")?;
    expect(
        &mut client,
        "SELECT status, failure_reason FROM agent_task_queue WHERE autopilot_run_id IS NOT NULL",
        "failed runtime_offline",
    )
}

fn task_without_source_is_retried_only_with_context(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    expect(
        &mut client,
        "SELECT right(p.id::text, 2), c.status, c.context FROM agent_task_queue AS p
         LEFT JOIN agent_task_queue AS c ON c.parent_task_id = p.id
         WHERE p.issue_id IS NULL AND p.chat_session_id IS NULL AND p.autopilot_run_id IS NULL
           AND p.parent_task_id IS NULL ORDER BY 1",
        "e9 queued {\"prompt\": \"hello\"}\nea  ",
    )
}

/// A comment that was written while the task ran has queued another task. That task replaces the retry, and no call
/// fails.
fn pending_task_replaces_retry(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id)
         SELECT a.id, a.runtime_id, i.id FROM agent AS a, issue AS i WHERE a.name = 'Ada' AND i.title = 'login'",
    )?;
    expect(&mut client, "SELECT tasks_failed, tasks_retried FROM multica_sweep()", "10 3")?;
    expect(
        &mut client,
        "SELECT i.status, t.status, t.attempt, t.parent_task_id IS NULL
         FROM issue AS i JOIN agent_task_queue AS t ON t.issue_id = i.id JOIN agent AS a ON a.id = t.agent_id
         WHERE i.title = 'login' AND a.name = 'Ada' ORDER BY 2",
        "in_progress failed 1 t\nin_progress queued 1 t",
    )
}

/// A failure that an application reports after a later task has completed the work needs no retry.
fn late_failure_of_completed_work_is_not_retried(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "UPDATE agent_task_queue SET status = 'failed', completed_at = now() - interval '1 hour', failure_reason = 'timeout'
         WHERE right(id::text, 2) IN ('e1', 'e6');
         INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, chat_session_id, status, completed_at)
         SELECT agent_id, runtime_id, issue_id, chat_session_id, 'completed', now() - interval '1 minute'
         FROM agent_task_queue WHERE right(id::text, 2) IN ('e1', 'e6')",
    )?;
    expect(
        &mut client,
        "SELECT retried FROM multica_handle_failed_tasks(ARRAY(SELECT id FROM agent_task_queue WHERE status = 'failed'))",
        "0",
    )
}

/// A claim can return the retry, and it has all fields that its agent needs to resume.
fn retry_copies_session_and_task_fields(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "INSERT INTO comment (id, issue_id, workspace_id, author_type, author_id, content)
         VALUES ('00000000-0000-4000-8000-000000000081', {issue}, {workspace}, 'member', {user}, 'please');
         UPDATE agent_task_queue
         SET trigger_comment_id = '00000000-0000-4000-8000-000000000081', priority = 3, context = '{{\"big\": 1e400}}',
             result = '1', last_heartbeat_at = now()
         WHERE id = {task};
         SELECT * FROM multica_sweep()",
        issue = id("d1"),
        workspace = id("a1"),
        user = id("f1"),
        task = id("e1"),
    ))?;
    expect(
        &mut client,
        &format!(
            "SELECT c.status, c.session_id, c.work_dir,
                    (c.agent_id, c.runtime_id, c.issue_id, c.trigger_comment_id, c.priority, c.context, c.max_attempts)
                    IS NOT DISTINCT FROM
                    (p.agent_id, p.runtime_id, p.issue_id, p.trigger_comment_id, p.priority, p.context, p.max_attempts),
                    num_nonnulls(c.dispatched_at, c.started_at, c.completed_at, c.result, c.error, c.failure_reason,
                                 c.last_heartbeat_at)
             FROM agent_task_queue AS p JOIN agent_task_queue AS c ON c.parent_task_id = p.id WHERE p.id = {}",
            id("e1")
        ),
        "queued session-e1 /srv/session-e1 t 0",
    )
}

/// Retries of one call have different times, so that they keep the order of their parents by priority and age. The
/// retry of a chat task keeps its place in the chat.
fn retries_keep_order_of_parents(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "UPDATE agent_task_queue SET priority = 1 WHERE id = {}; SELECT * FROM multica_sweep()",
        id("e8")
    ))?;
    expect(
        &mut client,
        "SELECT string_agg(right(parent_task_id::text, 2), ' ' ORDER BY created_at), count(DISTINCT created_at)
         FROM agent_task_queue WHERE parent_task_id IS NOT NULL AND chat_session_id IS NULL",
        "e8 e1 e9 3",
    )?;
    expect(
        &mut client,
        "SELECT count(*), count(DISTINCT created_at) FROM agent_task_queue WHERE chat_session_id IS NOT NULL",
        "2 1",
    )
}

//! The next claim returns the session that was pinned last, whatever happened to the task since.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{expect, id, team, value};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    session_resumes_after_runtime_dies,
    session_resumes_after_runtime_dies_twice,
    session_resumes_after_timeout,
    session_resumes_after_rerun_of_running_task,
    session_resumes_after_rerun_of_cancelled_task,
    session_resumes_after_merge,
    complete_without_session_keeps_pinned_session,
    fail_without_session_keeps_pinned_session,
    unclaimed_retry_does_not_replace_session,
    session_and_directory_come_from_one_source,
    session_sources_are_used_in_order,
];

/// An issue and a chat, whose tasks resume by the same rule.
const KINDS: [&str; 2] = [
    "multica_enqueue_issue('00000000-0000-4000-8000-0000000000d1')",
    "multica_enqueue_chat('00000000-0000-4000-8000-000000000051')",
];

/// Returns a database with the fixture `team`, in which the chats have the session of a much older task.
fn stale_team(context: &Context) -> Result<(Database<'_>, Client)> {
    let (database, mut client) = team(context)?;
    client.batch_execute("UPDATE chat_session SET session_id = 'stale', work_dir = '/stale'")?;
    Ok((database, client))
}

/// Queues a task, claims and starts it, and pins two sessions, of which the second counts.
fn run(client: &mut Client, enqueue: &str, session: &str) -> Result<String> {
    client.batch_execute(&format!("SELECT FROM {enqueue}"))?;
    resume(client, session)
}

/// Claims and starts a queued task, and pins its session.
fn resume(client: &mut Client, session: &str) -> Result<String> {
    let task = value(client, &format!("SELECT id FROM multica_claim({})", id("b1")))?;
    ensure!(!task.is_empty(), "there is no task to claim");
    client.batch_execute(&format!(
        "SELECT FROM multica_start('{task}');
         SELECT multica_pin_session('{task}', 'early {session}', '/early');
         SELECT multica_pin_session('{task}', '{session}');
         SELECT multica_pin_session('{task}', NULL, '/{session}')"
    ))?;
    Ok(task)
}

fn expect_prior(client: &mut Client, runtime: &str, session: &str) -> Result<()> {
    let sql = format!("SELECT prior_session_id, prior_work_dir FROM multica_claim({})", id(runtime));
    expect(client, &sql, &format!("{session} /{session}"))
}

/// The runtime becomes silent, and a sweep fails its tasks.
fn lose_runtime(client: &mut Client) -> Result<()> {
    client.batch_execute(
        "UPDATE agent_runtime SET last_seen_at = now() - interval '10 minutes'; SELECT FROM multica_sweep()",
    )?;
    Ok(())
}

fn session_resumes_after_runtime_dies(context: &Context) -> Result<()> {
    for enqueue in KINDS {
        let (_database, mut client) = stale_team(context)?;
        run(&mut client, enqueue, "first")?;
        lose_runtime(&mut client)?;
        expect_prior(&mut client, "b1", "first")?;
    }
    Ok(())
}

fn session_resumes_after_runtime_dies_twice(context: &Context) -> Result<()> {
    for enqueue in KINDS {
        let (_database, mut client) = stale_team(context)?;
        run(&mut client, enqueue, "first")?;
        lose_runtime(&mut client)?;
        resume(&mut client, "second")?;
        lose_runtime(&mut client)?;
        // No attempt is left, so the next task is a new task for the same issue or chat.
        expect(&mut client, "SELECT count(*) FROM agent_task_queue WHERE status = 'queued'", "0")?;
        client.batch_execute(&format!("SELECT FROM {enqueue}"))?;
        expect_prior(&mut client, "b1", "second")?;
        // The session is also kept if that task fails before it pins a session.
        lose_runtime(&mut client)?;
        expect_prior(&mut client, "b1", "second")?;
    }
    Ok(())
}

fn session_resumes_after_timeout(context: &Context) -> Result<()> {
    for enqueue in KINDS {
        let (_database, mut client) = stale_team(context)?;
        let task = run(&mut client, enqueue, "first")?;
        client.batch_execute(&format!(
            "UPDATE agent_task_queue SET dispatched_at = now() - interval '3 hours', started_at = now() - interval '3 hours' WHERE id = '{task}';
             SELECT FROM multica_sweep()"
        ))?;
        expect_prior(&mut client, "b1", "first")?;
    }
    Ok(())
}

fn session_resumes_after_rerun_of_running_task(context: &Context) -> Result<()> {
    let (_database, mut client) = stale_team(context)?;
    let task = run(&mut client, KINDS[0], "first")?;
    let rerun = format!("SELECT session_id, work_dir, attempt, parent_task_id FROM multica_rerun({})", id("d1"));
    expect(&mut client, &rerun, "first /first 1 ")?;
    expect(&mut client, &format!("SELECT status FROM agent_task_queue WHERE id = '{task}'"), "cancelled")?;
    expect_prior(&mut client, "b1", "first")?;
    // Again, before the new task has pinned a session.
    expect(&mut client, &rerun, "first /first 1 ")?;
    expect_prior(&mut client, "b1", "first")
}

fn session_resumes_after_rerun_of_cancelled_task(context: &Context) -> Result<()> {
    for cancel in ["multica_cancel", "multica_cancel_issue_tasks", "multica_cancel_agent_tasks"] {
        let (_database, mut client) = stale_team(context)?;
        run(&mut client, KINDS[0], "first")?;
        client.batch_execute("SELECT FROM agent_task_queue AS t, multica_complete(t.id)")?;
        let task = run(&mut client, KINDS[0], "second")?;
        let what = match cancel {
            "multica_cancel" => format!("'{task}'"),
            "multica_cancel_issue_tasks" => id("d1"),
            _ => id("c1"),
        };
        client.batch_execute(&format!("SELECT FROM {cancel}({what})"))?;
        client.batch_execute(&format!("SELECT FROM multica_rerun({})", id("d1")))?;
        expect_prior(&mut client, "b1", "second")?;
    }
    let (_database, mut client) = stale_team(context)?;
    let task = run(&mut client, KINDS[1], "first")?;
    client.batch_execute(&format!("SELECT FROM multica_cancel('{task}'); SELECT FROM {}", KINDS[1]))?;
    expect_prior(&mut client, "b1", "first")
}

fn session_resumes_after_merge(context: &Context) -> Result<()> {
    for enqueue in KINDS {
        let (_database, mut client) = stale_team(context)?;
        let task = run(&mut client, enqueue, "first")?;
        let register = |running: &str| {
            format!(
                "SELECT FROM multica_register({}, '{{\"daemon_id\": \"new-name\", \"legacy_daemon_ids\": [\"machine-1\"],
                     \"recover\": true, \"runtimes\": [{{\"type\": \"claude\", \"running\": [{running}]}}]}}')",
                id("a1")
            )
        };
        // The session continued while the daemon got a new id; then a daemon that does not list the task replaces it.
        client.batch_execute(&register(&format!("\"{task}\"")))?;
        client.batch_execute(&format!("SELECT multica_pin_session('{task}', 'second', '/second')"))?;
        client.batch_execute(&register(""))?;
        let claim = "SELECT prior_session_id, prior_work_dir FROM agent_runtime AS r, multica_claim(r.id) WHERE r.daemon_id = 'new-name'";
        expect(&mut client, claim, "second /second")?;
    }
    Ok(())
}

fn complete_without_session_keeps_pinned_session(context: &Context) -> Result<()> {
    for enqueue in KINDS {
        for arguments in ["", ", session_id => '', work_dir => ''"] {
            let (_database, mut client) = stale_team(context)?;
            let task = run(&mut client, enqueue, "first")?;
            client.batch_execute(&format!(
                "SELECT FROM multica_complete('{task}', session_id => 'first', work_dir => '/first')"
            ))?;
            let task = run(&mut client, enqueue, "second")?;
            client.batch_execute(&format!("SELECT FROM multica_complete('{task}'{arguments})"))?;
            client.batch_execute(&format!("SELECT FROM {enqueue}"))?;
            expect_prior(&mut client, "b1", "second")?;
        }
    }
    Ok(())
}

fn fail_without_session_keeps_pinned_session(context: &Context) -> Result<()> {
    for enqueue in KINDS {
        let (_database, mut client) = stale_team(context)?;
        let task = run(&mut client, enqueue, "first")?;
        client.batch_execute(&format!(
            "SELECT FROM multica_complete('{task}', session_id => 'first', work_dir => '/first')"
        ))?;
        let task = run(&mut client, enqueue, "second")?;
        client.batch_execute(&format!("SELECT FROM multica_fail('{task}', 'no idea', session_id => '')"))?;
        client.batch_execute(&format!("SELECT FROM {enqueue}"))?;
        expect_prior(&mut client, "b1", "second")?;
    }
    Ok(())
}

/// A queued retry has the session of its parent. If it is cancelled after a newer task ran, its session must not
/// replace that of the newer task.
fn unclaimed_retry_does_not_replace_session(context: &Context) -> Result<()> {
    let (_database, mut client) = stale_team(context)?;
    run(&mut client, KINDS[0], "first")?;
    lose_runtime(&mut client)?;
    let retry = value(&mut client, "SELECT id FROM agent_task_queue WHERE status = 'queued'")?;
    client.batch_execute(&format!(
        "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, dispatched_at, started_at, session_id, work_dir)
         SELECT agent_id, runtime_id, issue_id, 'running', now(), now(), 'second', '/second'
         FROM agent_task_queue WHERE id = '{retry}'"
    ))?;
    let last = format!("SELECT session_id FROM multica_last_task_session({}, {})", id("d1"), id("c1"));
    // Once both are cancelled in one call, at the same time; once only the retry, after the other task has ended.
    let end_then_cancel = format!(
        "SELECT FROM agent_task_queue AS t, multica_complete(t.id) WHERE t.status = 'running';
         SELECT FROM multica_cancel('{retry}')"
    );
    for cancel in [format!("SELECT FROM multica_cancel_issue_tasks({})", id("d1")), end_then_cancel] {
        client.batch_execute(&format!("BEGIN; {cancel}"))?;
        expect(&mut client, &last, "second")?;
        client.batch_execute(&format!("SELECT FROM multica_enqueue_issue({})", id("d1")))?;
        expect_prior(&mut client, "b1", "second")?;
        client.batch_execute("ROLLBACK")?;
    }
    client.batch_execute(&format!("SELECT FROM multica_rerun({})", id("d1")))?;
    expect_prior(&mut client, "b1", "second")
}

fn session_and_directory_come_from_one_source(context: &Context) -> Result<()> {
    let (_database, mut client) = stale_team(context)?;
    let task = run(&mut client, KINDS[0], "first")?;
    client.batch_execute(&format!("SELECT FROM multica_complete('{task}')"))?;
    client.batch_execute(&format!("SELECT FROM {}", KINDS[0]))?;
    client.batch_execute("UPDATE agent_task_queue SET session_id = 'own' WHERE status = 'queued'")?;
    expect(
        &mut client,
        &format!("SELECT prior_session_id, prior_work_dir IS NULL FROM multica_claim({})", id("b1")),
        "own t",
    )
}

/// The task's own session, then that of the last task of agent and issue, that of the chat, that of the chat's last
/// task.
fn session_sources_are_used_in_order(context: &Context) -> Result<()> {
    let (_database, mut client) = stale_team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1'), task('e2', 'b1', 'c1', 'running'), task('e3', 'b1', 'c1', 'running');
         UPDATE agent_task_queue SET session_id = 'own', work_dir = '/own', issue_id = {0}, chat_session_id = {1} WHERE right(id::text, 2) = 'e1';
         UPDATE agent_task_queue SET session_id = 'issue', work_dir = '/issue', issue_id = {0}, status = 'failed', completed_at = now() WHERE right(id::text, 2) = 'e2';
         UPDATE agent_task_queue SET session_id = 'task', work_dir = '/task', chat_session_id = {1}, status = 'completed', completed_at = now() WHERE right(id::text, 2) = 'e3';
         UPDATE chat_session SET session_id = 'chat', work_dir = '/chat' WHERE id = {1}",
        id("d1"),
        id("51"),
    ))?;
    for (session, next) in [
        ("own", "UPDATE agent_task_queue SET session_id = NULL WHERE right(id::text, 2) = 'e1'"),
        ("issue", "UPDATE agent_task_queue SET session_id = NULL WHERE right(id::text, 2) = 'e2'"),
        ("chat", "UPDATE chat_session SET session_id = NULL"),
        ("task", "UPDATE agent_task_queue SET session_id = NULL"),
    ] {
        expect_prior(&mut client, "b1", session)?;
        client.batch_execute(
            "UPDATE agent_task_queue SET status = 'queued', dispatched_at = NULL WHERE right(id::text, 2) = 'e1'",
        )?;
        client.batch_execute(next)?;
    }
    expect(
        &mut client,
        &format!("SELECT prior_session_id IS NULL, prior_work_dir IS NULL FROM multica_claim({})", id("b1")),
        "t t",
    )
}

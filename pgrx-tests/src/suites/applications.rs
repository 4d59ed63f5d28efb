//! An application calls the extension inside its own transaction: a crash at any statement undoes the whole
//! transaction.

use anyhow::{Result, ensure};

use super::Suite;
use super::support::{digest, expect, expect_state, id, team, terminate};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    task_end_and_comment_commit_together,
    chat_turn_and_message_commit_together,
    reassignment_cancel_and_enqueue_commit_together,
    autopilot_run_issue_and_task_commit_together,
];

/// Kills an application's transaction after each of its statements, and commits it in the end.
fn expect_atomic_at_every_statement(context: &Context, database: &Database, statements: &[String]) -> Result<()> {
    let mut observer = database.connect()?;
    let before = digest(context, database)?;
    for last in 1..=statements.len() {
        let mut client = database.connect()?;
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        client.batch_execute("BEGIN")?;
        for statement in &statements[..last] {
            client.batch_execute(statement)?;
        }
        terminate(&mut observer, pid)?;
        ensure!(
            digest(context, database)? == before,
            "the transaction was killed after statement {last} and left changes"
        );
    }
    observer.batch_execute(&format!("BEGIN; {}; COMMIT", statements.join(";")))?;
    Ok(())
}

/// The end of a task and the comment that the application inserts for it are one transaction (W9).
fn task_end_and_comment_commit_together(context: &Context) -> Result<()> {
    for (end, kind) in [("complete({}, '{\"output\": \"done\"}')", "comment"), ("fail({}, 'no luck')", "system")] {
        let (database, mut client) = team(context)?;
        client.batch_execute(&format!(
            "SELECT task('e1', status => 'running'); UPDATE agent SET status = 'working';
             UPDATE agent_task_queue SET issue_id = {}",
            id("d1")
        ))?;
        let statements = [
            format!("SELECT FROM multica_{}", end.replace("{}", &id("e1"))),
            format!(
                "INSERT INTO comment (issue_id, workspace_id, author_type, author_id, content, type)
                 VALUES ({}, {}, 'agent', {}, 'reply', '{kind}')",
                id("d1"),
                id("a1"),
                id("c1")
            ),
        ];
        expect_atomic_at_every_statement(context, &database, &statements)?;
        expect(
            &mut client,
            "SELECT t.status <> 'running', a.status, (SELECT count(*) FROM comment WHERE content = 'reply'),
                    (SELECT count(*) FROM multica_event_log WHERE type IN ('task:completed', 'task:failed'))
             FROM agent_task_queue AS t JOIN agent AS a ON a.id = t.agent_id",
            "t idle 1 1",
        )?;
    }
    Ok(())
}

/// The end of a chat turn and the message that the application inserts for it are one transaction (W10).
fn chat_turn_and_message_commit_together(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running'); UPDATE agent_task_queue SET chat_session_id = {}",
        id("51")
    ))?;
    let reply = |role: &str| {
        format!(
            "INSERT INTO chat_message (chat_session_id, role, content, task_id) VALUES ({}, '{role}', 'done', {})",
            id("51"),
            id("e1")
        )
    };
    let complete = format!("SELECT FROM multica_complete({}, '{{}}', 'turn', '/turn')", id("e1"));
    // A message that cannot be written rolls back the end of the turn too.
    let before = digest(context, &database)?;
    expect_state(&mut client, &format!("BEGIN; {complete}; {}; COMMIT", reply("nobody")), "23514")?;
    client.batch_execute("ROLLBACK")?;
    ensure!(digest(context, &database)? == before, "the failed transaction left changes");
    let unread =
        format!("UPDATE chat_session SET unread_since = now() WHERE id = {} AND unread_since IS NULL", id("51"));
    expect_atomic_at_every_statement(context, &database, &[complete, reply("assistant"), unread])?;
    expect(
        &mut client,
        "SELECT t.status, c.session_id, c.unread_since IS NOT NULL, m.content,
                (SELECT count(*) FROM multica_event_log WHERE type = 'chat:done')
         FROM agent_task_queue AS t JOIN chat_session AS c ON c.id = t.chat_session_id JOIN chat_message AS m ON m.task_id = t.id",
        "completed turn t done 1",
    )
}

/// The change of the assignee, the cancelled tasks and the new task are one transaction (W16).
fn reassignment_cancel_and_enqueue_commit_together(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running'); UPDATE agent SET status = 'working' WHERE name = 'Ada';
         UPDATE agent_task_queue SET issue_id = {}",
        id("d1")
    ))?;
    let statements = [
        format!("UPDATE issue SET assignee_id = {} WHERE id = {}", id("c2"), id("d1")),
        format!("SELECT FROM multica_cancel_issue_tasks({})", id("d1")),
        format!("SELECT FROM multica_enqueue_issue({})", id("d1")),
    ];
    expect_atomic_at_every_statement(context, &database, &statements)?;
    expect(
        &mut client,
        "SELECT a.name, a.status, t.status, t.completed_at IS NOT NULL FROM agent_task_queue AS t
         JOIN agent AS a ON a.id = t.agent_id ORDER BY a.name",
        "Ada idle cancelled t\nBo idle queued f",
    )
}

/// An autopilot creates an issue in one transaction, so there is never a run without its issue, or an issue without its
/// task (W19).
fn autopilot_run_issue_and_task_commit_together(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let statements = [
        format!(
            "INSERT INTO autopilot_run (id, autopilot_id, source, status) VALUES ({}, {}, 'schedule', 'issue_created')",
            id("72"),
            id("61")
        ),
        format!(
            "INSERT INTO issue (id, workspace_id, title, status, number, assignee_type, assignee_id, creator_type, creator_id,
                                origin_type, origin_id)
             VALUES ({}, {}, 'nightly', 'todo', 9, 'agent', {}, 'agent', {}, 'autopilot', {})",
            id("da"), id("a1"), id("c1"), id("c1"), id("61")
        ),
        format!("UPDATE autopilot_run SET issue_id = {} WHERE id = {}", id("da"), id("72")),
        format!("SELECT FROM multica_enqueue_issue({})", id("da")),
        format!("UPDATE autopilot SET last_run_at = now() WHERE id = {}", id("61")),
    ];
    expect_atomic_at_every_statement(context, &database, &statements)?;
    expect(
        &mut client,
        "SELECT i.title, t.status, r.status, t.autopilot_run_id IS NULL FROM autopilot_run AS r
         JOIN issue AS i ON i.id = r.issue_id JOIN agent_task_queue AS t ON t.issue_id = i.id",
        "nightly queued issue_created t",
    )
}

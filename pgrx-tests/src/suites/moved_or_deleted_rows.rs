//! Rows that an application moved or deleted. Tasks are moved to the current runtime of their agent, and no task waits
//! for a deleted row.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{expect, expect_state, id, team, value};
use crate::context::Context;

/// The tests of this topic, whose results do not depend on the version of Postgres.
pub const AT_HOME: &[(&str, Suite)] = suite![
    retry_uses_current_runtime_of_agent,
    retry_of_reported_failure_uses_current_runtime_of_agent,
    chat_session_is_not_resumed_on_another_runtime,
    session_of_deleted_runtime_is_not_resumed,
    rerun_does_not_resume_session_of_another_runtime,
    enqueue_moves_queued_task_to_runtime_of_agent,
    sweep_moves_queued_task_off_offline_runtime,
    agent_of_deleted_issue_becomes_idle,
    task_of_deleted_chat_or_run_is_cancelled,
    task_without_source_is_not_cancelled,
    conflict_with_user_index_is_an_error,
    missing_pending_slot_names_install,
    no_statement_locks_and_writes,
];

const ISSUE: &str = "multica_enqueue_issue('00000000-0000-4000-8000-0000000000d1')";
const CHAT: &str = "multica_enqueue_chat('00000000-0000-4000-8000-000000000051')";

/// Queues a task, claims and starts it on machine-1, and pins its session and directory.
fn run(client: &mut Client, enqueue: &str) -> Result<String> {
    client.batch_execute(&format!("SELECT FROM {enqueue}"))?;
    let task = value(client, &format!("SELECT id FROM multica_claim({})", id("b1")))?;
    client.batch_execute(&format!(
        "SELECT FROM multica_start('{task}'); SELECT multica_pin_session('{task}', 's1', '/dir')"
    ))?;
    Ok(task)
}

/// Binds the agent Ada to machine-2.
fn move_away(client: &mut Client) -> Result<()> {
    client.batch_execute(&format!("UPDATE agent SET runtime_id = {} WHERE id = {}", id("b2"), id("c1")))?;
    Ok(())
}

/// Machine-1 becomes silent.
fn silence(client: &mut Client) -> Result<()> {
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET last_seen_at = now() - interval '1 hour' WHERE id = {}",
        id("b1")
    ))?;
    Ok(())
}

/// Fails unless the claim of machine-2 returns this attempt, this directory, and no session.
fn expect_claim_of_machine_2(client: &mut Client, expected: &str) -> Result<()> {
    let claim = format!("SELECT attempt, prior_session_id IS NULL, prior_work_dir FROM multica_claim({})", id("b2"));
    expect(client, &claim, expected)
}

/// A runtime becomes stale after its agent was bound to another one.
pub fn retry_uses_current_runtime_of_agent(context: &Context) -> Result<()> {
    for enqueue in [ISSUE, CHAT] {
        let (_database, mut client) = team(context)?;
        run(&mut client, enqueue)?;
        move_away(&mut client)?;
        silence(&mut client)?;
        expect(&mut client, "SELECT tasks_failed, tasks_retried FROM multica_sweep()", "1 1")?;
        // Nor does an enqueue return a task that no runtime claims.
        if enqueue == ISSUE {
            expect(
                &mut client,
                &format!(
                    "SELECT e.created, right(t.runtime_id::text, 2) FROM {enqueue} AS e JOIN agent_task_queue AS t ON t.id = e.task_id"
                ),
                "f b2",
            )?;
        }
        expect_claim_of_machine_2(&mut client, "2 t /dir")?;
    }
    Ok(())
}

/// The runtime of the failed task is alive, so no sweep moves a retry off it.
pub fn retry_of_reported_failure_uses_current_runtime_of_agent(context: &Context) -> Result<()> {
    for enqueue in [ISSUE, CHAT] {
        let (_database, mut client) = team(context)?;
        let task = run(&mut client, enqueue)?;
        move_away(&mut client)?;
        client.batch_execute(&format!("SELECT FROM multica_fail('{task}', 'no answer', 'timeout')"))?;
        expect_claim_of_machine_2(&mut client, "2 t /dir")?;
    }
    Ok(())
}

/// A completed task of the chat left the session of machine-1 in the chat.
pub fn chat_session_is_not_resumed_on_another_runtime(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let task = run(&mut client, CHAT)?;
    client.batch_execute(&format!("SELECT FROM multica_complete('{task}')"))?;
    expect(&mut client, &format!("SELECT session_id FROM chat_session WHERE id = {}", id("51")), "s1")?;
    move_away(&mut client)?;
    client.batch_execute(&format!("SELECT FROM {CHAT}"))?;
    expect_claim_of_machine_2(&mut client, "1 t /dir")
}

/// Ended tasks of a deleted runtime move to the runtime of their agent, but its sessions were on its machine. A user
/// deletes the runtime, or collection does, which skips rows of a chat that another transaction has locked until the
/// next sweep.
pub fn session_of_deleted_runtime_is_not_resumed(context: &Context) -> Result<()> {
    let delete = format!("SELECT FROM multica_delete_runtime({})", id("b1"));
    for (delete, collects) in
        [(delete.as_str(), false), ("SELECT FROM multica_delete_stale_offline_runtimes(60)", true)]
    {
        for enqueue in [ISSUE, CHAT] {
            let (database, mut client) = team(context)?;
            let task = run(&mut client, enqueue)?;
            client.batch_execute(&format!("SELECT FROM multica_complete('{task}')"))?;
            client.batch_execute(&format!("UPDATE agent SET runtime_id = {}", id("b2")))?;
            client.batch_execute("UPDATE agent SET runtime_id = (SELECT id FROM agent_runtime WHERE daemon_id = 'machine-9') WHERE name = 'Zoe'")?;
            client.batch_execute(&format!(
                "UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '1 hour' WHERE id = {}",
                id("b1")
            ))?;
            let there = format!("SELECT count(*) FROM agent_runtime WHERE id = {}", id("b1"));
            if collects && enqueue == CHAT {
                let mut holder = database.connect()?;
                holder.batch_execute("BEGIN; SELECT FROM chat_session FOR UPDATE")?;
                client.batch_execute(delete)?;
                expect(&mut client, &there, "1")?;
                holder.batch_execute("ROLLBACK")?;
            }
            client.batch_execute(delete)?;
            expect(&mut client, &there, "0")?;
            client.batch_execute(&format!("SELECT FROM {enqueue}"))?;
            expect_claim_of_machine_2(&mut client, "1 t ")?;
        }
    }
    Ok(())
}

pub fn rerun_does_not_resume_session_of_another_runtime(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    run(&mut client, ISSUE)?;
    move_away(&mut client)?;
    expect(
        &mut client,
        &format!("SELECT right(runtime_id::text, 2), session_id IS NULL, work_dir FROM multica_rerun({})", id("d1")),
        "b2 t /dir",
    )?;
    expect_claim_of_machine_2(&mut client, "1 t /dir")
}

/// A task that was queued before the agent moved is moved by the next enqueue for the same issue.
pub fn enqueue_moves_queued_task_to_runtime_of_agent(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!("SELECT FROM {ISSUE}"))?;
    move_away(&mut client)?;
    expect(&mut client, &format!("SELECT created FROM {ISSUE}"), "f")?;
    expect(
        &mut client,
        "SELECT right(payload ->> 'runtime_id', 2) FROM multica_event_log WHERE type = 'task:queued' ORDER BY id",
        "b1\nb2",
    )?;
    expect(&mut client, &format!("SELECT created FROM {ISSUE}"), "f")?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log WHERE type = 'task:queued'", "2")?;
    expect_claim_of_machine_2(&mut client, "1 t ")
}

pub fn sweep_moves_queued_task_off_offline_runtime(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT FROM {ISSUE}; SELECT task('e1'); SELECT task('e2', 'b1', 'c2'); SELECT task('e9', 'b9', 'c9')"
    ))?;
    move_away(&mut client)?;
    let places = "SELECT right(runtime_id::text, 2), count(*) FROM agent_task_queue GROUP BY 1 ORDER BY 1";
    // While the runtime is online, it claims its queued tasks itself.
    client.batch_execute("SELECT FROM multica_sweep()")?;
    expect(&mut client, places, "b1 3\nb9 1")?;
    silence(&mut client)?;
    client.batch_execute("SET multica.batch_size = 1")?;
    expect(&mut client, "SELECT more FROM multica_sweep()", "t")?;
    client.batch_execute("SELECT FROM multica_sweep(); SELECT FROM multica_sweep()")?;
    expect(&mut client, places, "b1 1\nb2 2\nb9 1")?;
    expect(
        &mut client,
        "SELECT count(*) FROM multica_event_log WHERE type = 'task:queued' AND payload ? 'sweep_id'",
        "2",
    )?;
    expect(&mut client, &format!("SELECT count(*) FROM multica_claim({}, 10)", id("b2")), "2")
}

pub fn agent_of_deleted_issue_becomes_idle(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    run(&mut client, ISSUE)?;
    client.batch_execute(&format!(
        "SELECT task('e2', 'b1', 'c2', 'running'); UPDATE agent SET status = 'working' WHERE id = {};
         DELETE FROM issue WHERE id = {}",
        id("c2"),
        id("d1")
    ))?;
    let agents = "SELECT name, status FROM agent WHERE name IN ('Ada', 'Bo') ORDER BY name";
    expect(&mut client, agents, "Ada working\nBo working")?;
    expect(&mut client, "SELECT agents_reconciled, more FROM multica_sweep()", "1 f")?;
    expect(&mut client, agents, "Ada idle\nBo working")?;
    expect(
        &mut client,
        "SELECT payload -> 'agent' ->> 'status' FROM multica_event_log WHERE type = 'agent:status' ORDER BY id DESC LIMIT 1",
        "idle",
    )
}

/// The row that a queued task belongs to is deleted, and so is that of a dispatched task whose claim was lost. Each
/// task is cancelled with its event, and other tasks of the agent are claimed.
pub fn task_of_deleted_chat_or_run_is_cancelled(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let run = "multica_enqueue_autopilot('00000000-0000-4000-8000-000000000071')";
    for (enqueue, table, is_dispatched) in [
        (CHAT, "chat_session", false),
        (run, "autopilot_run", false),
        (CHAT.replace("051", "052").as_str(), "chat_session", true),
    ] {
        let task = value(&mut client, &format!("SELECT task_id FROM {enqueue}"))?;
        if is_dispatched {
            client.batch_execute(&format!(
                "SELECT FROM multica_claim({});
                 UPDATE agent_task_queue SET dispatched_at = dispatched_at - interval '1 hour', prepare_lease_expires_at = now()",
                id("b1")
            ))?;
        }
        let other = value(&mut client, &format!("SELECT task_id FROM multica_enqueue({})", id("c1")))?;
        client.batch_execute(&format!(
            "DELETE FROM {table} WHERE id IN (
                 SELECT unnest(ARRAY[chat_session_id, autopilot_run_id]) FROM agent_task_queue WHERE id = '{task}'
             )"
        ))?;
        expect(&mut client, &format!("SELECT id FROM multica_claim({}, 10)", id("b1")), &other)?;
        expect(
            &mut client,
            &format!(
                "SELECT t.status, t.failure_reason, count(e.id)
                 FROM agent_task_queue AS t
                 LEFT JOIN multica_event_log AS e ON e.type = 'task:cancelled' AND e.payload ->> 'task_id' = t.id::text
                 WHERE t.id = '{task}'
                 GROUP BY 1, 2"
            ),
            "cancelled source_deleted 1",
        )?;
        client
            .batch_execute(&format!("SELECT FROM multica_start('{other}'); SELECT FROM multica_complete('{other}')"))?;
    }
    Ok(())
}

/// A task that never had an issue, a chat or a run belongs only to its agent. A started task continues without its
/// chat, and a task that also has an issue is not cancelled either.
pub fn task_without_source_is_not_cancelled(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1'); SELECT task('e2', 'b1', 'c2', 'running');
         UPDATE agent_task_queue SET chat_session_id = {}, started_at = now() WHERE id = {};
         UPDATE agent_task_queue SET issue_id = {}, chat_session_id = {} WHERE id = {};
         DELETE FROM chat_session;
         UPDATE agent_task_queue SET issue_id = NULL, autopilot_run_id = NULL, chat_session_id = NULL",
        id("51"),
        id("e2"),
        id("d1"),
        id("52"),
        id("e1"),
    ))?;
    expect(&mut client, "SELECT count(*), count(failure_reason) FROM agent_task_queue", "2 0")?;
    expect(&mut client, &format!("SELECT right(id::text, 2) FROM multica_claim({}, 10)", id("b1")), "e1")
}

/// A conflict with a unique index of the user does not mean that the pair has a pending task.
pub fn conflict_with_user_index_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("CREATE UNIQUE INDEX one_priority ON agent_task_queue (agent_id, priority)")?;
    client.batch_execute(&format!("SELECT FROM {ISSUE}"))?;
    let other = format!("SELECT FROM multica_enqueue_issue({}, priority => 0)", id("d2"));
    expect_state(&mut client, &other, "23505")?;
    expect(&mut client, &format!("SELECT created FROM {ISSUE}"), "f")
}

pub fn missing_pending_slot_names_install(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("DROP INDEX idx_one_pending_task_per_issue_agent")?;
    let error =
        client.batch_execute(&format!("SELECT FROM {ISSUE}")).expect_err("there is no index of the pending slot");
    let error = error.as_db_error().expect("the server's error");
    ensure!(
        error.code().code() == "55000" && error.hint().is_some_and(|it| it.contains("multica_install()")),
        "{error:?}"
    );
    client.batch_execute("SELECT FROM multica_install()")?;
    expect(&mut client, &format!("SELECT created FROM {ISSUE}"), "t")
}

/// Under READ COMMITTED such a statement would begin its write at the version of a row in its snapshot, and could wait
/// there for a transaction that waits for the lock which the statement has just taken.
pub fn no_statement_locks_and_writes(context: &Context) -> Result<()> {
    let mut statements = context.project.sources("sql")?;
    let is_script = |file: &str| ["install/", "extension/", "multica--"].iter().any(|start| file.starts_with(start));
    statements.retain(|(file, _)| !is_script(file));
    ensure!(statements.len() > 100, "only {} statements were found", statements.len());
    for (name, text) in statements {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        let code = code.join("\n");
        let locks = ["FOR UPDATE", "FOR NO KEY UPDATE"].iter().any(|lock| code.contains(lock));
        let writes = ["INSERT INTO ", "DELETE FROM "].iter().any(|write| code.contains(write))
            || code.split_whitespace().any(|word| word == "SET");
        ensure!(!(locks && writes), "{name} locks rows and writes in one statement");
    }
    Ok(())
}

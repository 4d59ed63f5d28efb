//! What follows a failure in the tables of a server: the rows that the server's own statements read afterwards. Each
//! test runs on every generation whose tables have what it is about.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::cases::{on_databases, on_generations};
use super::support::{expect, start, text, value, values};
use crate::context::Context;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    retry_has_the_columns_of_the_failed_task,
    retry_known_only_by_its_reference_prevents_another,
    task_without_runtime_is_retried_only_by_a_bound_agent,
    retry_of_a_turn_comes_first_although_it_is_new,
    task_of_a_run_is_not_retried,
    pending_task_prevents_retry_and_reset,
    media_in_the_pending_slot_prevent_retry,
    issue_in_a_status_of_progress_is_reset,
    deferred_retry_keeps_the_issue,
    chat_points_to_session_and_runtime,
    unsafe_and_retired_sessions_are_forgotten,
    run_and_quota_are_settled_once,
    run_of_an_issue_ends_with_its_last_task,
    held_quota_postpones_the_verdict,
    tokens_of_ended_tasks_are_deleted,
    ended_task_has_no_lease_and_no_wait_reason,
    queued_row_of_the_server_is_waited_for,
    transactions_of_the_server_are_no_deadlock,
];

/// Inserts the fixture with work that is going to fail.
pub fn insert_work(context: &Context, client: &mut Client) -> Result<()> {
    Ok(client.batch_execute(&text(context, "failing_work")?)?)
}

/// Lets the server fail a task, and returns `retried issues_reset` of the consequences.
pub fn fail(client: &mut Client, label: &str, reason: &str) -> Result<String> {
    client.batch_execute(&format!(
        "UPDATE agent_task_queue SET status = 'failed', completed_at = now(), failure_reason = '{reason}', error = 'broken'
         WHERE id = md5('{label}')::uuid"
    ))?;
    handle(client, label)
}

fn handle(client: &mut Client, label: &str) -> Result<String> {
    let handle = "SELECT retried, issues_reset FROM multica_handle_failed_tasks";
    value(client, &format!("{handle}(ARRAY[md5('{label}')::uuid])"))
}

/// Returns a query about the child of a task.
pub fn child(columns: &str, label: &str) -> String {
    format!("SELECT {columns} FROM agent_task_queue AS c WHERE c.parent_task_id = md5('{label}')::uuid")
}

/// The columns of a task that a retry takes over, each with a value.
const COPIED: [(&str, &str); 19] = [
    ("trigger_comment_id", "md5('comment waits')::uuid"),
    ("trigger_summary", "'summary'"),
    ("context", "'{\"head_sha\": \"1\"}'"),
    ("is_leader_task", "true"),
    ("squad_id", "md5('squad')::uuid"),
    ("originator_user_id", "md5('user 1')::uuid"),
    ("accountable_user_id", "md5('user 1')::uuid"),
    ("coalesced_comment_ids", "ARRAY[md5('comment joined')::uuid]"),
    ("chat_input_task_id", "md5('task turn')::uuid"),
    ("originator_source", "'delegation'"),
    ("delegated_from_task_id", "md5('task running')::uuid"),
    ("rule_version_id", "md5('rule')::uuid"),
    ("trigger_evidence_kind", "'comment'"),
    ("trigger_evidence_ref_id", "md5('comment waits')::uuid"),
    ("channel_context_revision", "7"),
    ("priority", "3"),
    ("agent_id", "md5('agent x')::uuid"),
    ("issue_id", "md5('issue x')::uuid"),
    ("runtime_id", "md5('runtime x')::uuid"),
];

/// The columns that belong to the failed task alone, each with a value.
const KEPT: [(&str, &str); 10] = [
    ("initiator_user_id", "md5('user 1')::uuid"),
    ("handoff_note", "'note'"),
    ("delivered_comment_ids", "ARRAY[md5('comment joined')::uuid]"),
    ("rerun_of_task_id", "md5('task completed')::uuid"),
    ("escalation_for_task_id", "md5('task running')::uuid"),
    ("quick_actions_disabled", "true"),
    ("regenerate_quick_actions_for", "md5('task completed')::uuid"),
    ("branch_name", "'branch'"),
    ("durable_work_dir", "'/kept'"),
    ("retired_session_id", "'session of before'"),
];

fn retry_has_the_columns_of_the_failed_task(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        insert_work(context, client)?;
        let there = values(
            client,
            "SELECT attname FROM pg_attribute WHERE attrelid = 'agent_task_queue'::regclass AND attnum > 0 AND NOT attisdropped",
        )?;
        let is_there = |column: &&(&str, &str)| there.iter().any(|name| name == column.0);
        let set: Vec<String> =
            COPIED.iter().chain(&KEPT).filter(is_there).map(|(column, value)| format!("{column} = {value}")).collect();
        client
            .batch_execute(&format!("UPDATE agent_task_queue SET {} WHERE id = md5('task x')::uuid", set.join(", ")))?;
        ensure!(fail(client, "task x", "timeout")?.starts_with("1 "), "no retry");
        let names = |columns: &[(&str, &str)]| {
            let names: Vec<String> = columns.iter().filter(is_there).map(|(name, _)| format!("'{name}'")).collect();
            format!("unnest(ARRAY[{}]::text[])", names.join(", "))
        };
        let differ = "SELECT k FROM agent_task_queue AS p JOIN agent_task_queue AS c ON c.parent_task_id = p.id";
        expect(
            client,
            &format!(
                "{differ}, {} AS k WHERE p.id = md5('task x')::uuid AND to_jsonb(p) -> k IS DISTINCT FROM to_jsonb(c) -> k",
                names(&COPIED)
            ),
            "",
        )?;
        expect(
            client,
            &format!(
                "{differ}, {} AS k WHERE p.id = md5('task x')::uuid AND to_jsonb(c) -> k NOT IN ('null', 'false', '[]')",
                names(&KEPT)
            ),
            "",
        )?;
        let more = "status, attempt, session_id, work_dir, created_at > now() - interval '1 minute', dispatched_at";
        expect(client, &child(more, "task x"), "queued 2 session x /work/x t ")?;
        if there.iter().any(|name| name == "retry_of_task_id") {
            expect(client, &child("retry_of_task_id = parent_task_id", "task x"), "t")?;
        }
        Ok(())
    })
}

/// A child whose parent_task_id an application has cleared, and that was cancelled before it ran, is still the child.
fn retry_known_only_by_its_reference_prevents_another(context: &Context) -> Result<()> {
    on_generations(context, &["provenance"], |client, _| {
        insert_work(context, client)?;
        for task in ["task x", "task turn"] {
            ensure!(fail(client, task, "timeout")?.starts_with("1 "), "no retry of {task}");
            client.batch_execute(
                "UPDATE agent_task_queue SET parent_task_id = NULL, status = 'cancelled', completed_at = now()
                 WHERE retry_of_task_id IS NOT NULL",
            )?;
            ensure!(handle(client, task)?.starts_with("0 "), "a second retry of {task}");
        }
        Ok(())
    })
}

fn task_without_runtime_is_retried_only_by_a_bound_agent(context: &Context) -> Result<()> {
    on_generations(context, &["unbound"], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            "UPDATE agent_task_queue SET status = 'failed', completed_at = now(), failure_reason = 'timeout', runtime_id = NULL
             WHERE id = md5('task x')::uuid;
             UPDATE agent SET runtime_id = NULL WHERE id = md5('agent x')::uuid",
        )?;
        ensure!(handle(client, "task x")? == "0 1", "a retry without a runtime");
        client.batch_execute("UPDATE agent SET runtime_id = md5('runtime y')::uuid WHERE id = md5('agent x')::uuid")?;
        ensure!(handle(client, "task x")? == "1 0", "no retry on the agent's runtime");
        let place = "runtime_id = md5('runtime y')::uuid, session_id, work_dir";
        expect(client, &child(place, "task x"), "t  /work/x")
    })
}

/// The server fails queued tasks that were created hours ago, so the retry of an old turn is new. Its priority keeps it
/// before the turns that wait.
fn retry_of_a_turn_comes_first_although_it_is_new(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        insert_work(context, client)?;
        for (waiting, expected) in [(2, 3), (4, 5)] {
            client.batch_execute(&format!(
                "DELETE FROM agent_task_queue WHERE parent_task_id = md5('task turn')::uuid OR id = md5('task next')::uuid;
                 INSERT INTO agent_task_queue (id, agent_id, runtime_id, chat_session_id, priority, created_at)
                 SELECT md5('task next')::uuid, agent_id, runtime_id, chat_session_id, {waiting}, now() - interval '1 hour'
                 FROM agent_task_queue WHERE id = md5('task turn')::uuid"
            ))?;
            ensure!(fail(client, "task turn", "timeout")?.starts_with("1 "), "no retry");
            let new = "priority, created_at > now() - interval '1 minute'";
            expect(client, &child(new, "task turn"), &format!("{expected} t"))?;
        }
        Ok(())
    })
}

fn task_of_a_run_is_not_retried(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        ensure!(fail(client, "task run running", "timeout")? == "0 0", "a retry");
        Ok(())
    })
}

fn pending_task_prevents_retry_and_reset(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id)
             VALUES (md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid)",
        )?;
        for reason in ["timeout", "runtime_offline"] {
            ensure!(fail(client, "task x", reason)? == "0 0", "a retry or a reset");
        }
        expect(client, "SELECT status FROM issue WHERE id = md5('issue x')::uuid", "in_progress")
    })
}

fn media_in_the_pending_slot_prevent_retry(context: &Context) -> Result<()> {
    on_generations(context, &["slot_of_media", "deferred"], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            r#"INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, fire_at, context)
             VALUES (md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid, 'deferred', now() + interval '1 hour',
                 '{"channel_issue_media_pending": true}')"#,
        )?;
        for reason in ["timeout", "runtime_offline"] {
            ensure!(fail(client, "task x", reason)? == "0 0", "a retry or a reset after {reason}");
        }
        Ok(())
    })
}

fn issue_in_a_status_of_progress_is_reset(context: &Context) -> Result<()> {
    on_generations(context, &["open_status"], |client, _| {
        insert_work(context, client)?;
        let features = values(client, "SELECT unnest(features) FROM multica_status()")?;
        let of = |feature: &str, column: &str| match features.iter().any(|name| name == feature) {
            true => column.to_string(),
            false => "true".to_string(),
        };
        let query = format!(
            "SELECT status, {}, {} FROM issue WHERE id = md5('issue x')::uuid",
            of("revision", "revision = 6"),
            of("activity", "last_activity_at > now() - interval '1 minute'")
        );
        client.batch_execute(
            "INSERT INTO issue_status (workspace_id, key, name, category, color)
             VALUES (md5('workspace 1')::uuid, 'doing', 'doing', 'in_progress', '#336699'),
                 (md5('workspace 1')::uuid, 'looking', 'looking', 'in_review', '#336699')",
        )?;
        let set = |status: &str| {
            let revision = if features.iter().any(|name| name == "revision") { ", revision = 5" } else { "" };
            format!("UPDATE issue SET status = '{status}'{revision} WHERE id = md5('issue x')::uuid")
        };
        for (status, is_reset) in [("doing", true), ("on_hold", true), ("looking", false), ("unheard_of", false)] {
            client.batch_execute(&set(status))?;
            let expected = if is_reset { "0 1" } else { "0 0" };
            let found = fail(client, "task x", "agent_error")?;
            ensure!(found == expected, "{status}: {found}");
            if is_reset {
                expect(client, &query, "todo t t")?;
                let event = "SELECT payload ->> 'prev_status', payload #>> '{issue,status}', payload #>> '{issue,status_category}',
                    payload #>> '{issue,revision}' FROM multica_event_log WHERE type = 'issue:updated' ORDER BY id DESC LIMIT 1";
                let revision = if features.iter().any(|name| name == "revision") { "6" } else { "" };
                expect(client, event, &format!("{status} todo todo {revision}"))?;
            }
        }
        Ok(())
    })
}

fn deferred_retry_keeps_the_issue(context: &Context) -> Result<()> {
    on_generations(context, &["deferred"], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            "INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, dispatched_at)
             SELECT md5('task of another')::uuid, id, runtime_id, md5('issue x')::uuid, 'running', now()
             FROM agent WHERE id = md5('agent cloud')::uuid",
        )?;
        ensure!(fail(client, "task x", "runtime_offline")? == "1 0", "no retry");
        expect(client, &child("status", "task x"), "deferred")?;
        ensure!(fail(client, "task of another", "agent_error")? == "0 0", "the issue was reset");
        expect(client, "SELECT status FROM issue WHERE id = md5('issue x')::uuid", "in_progress")
    })
}

fn chat_points_to_session_and_runtime(context: &Context) -> Result<()> {
    on_generations(context, &["chat_runtime"], |client, _| {
        insert_work(context, client)?;
        fail(client, "task turn", "agent_error")?;
        expect(
            client,
            "SELECT session_id, work_dir, runtime_id = md5('runtime x')::uuid FROM chat_session WHERE id = md5('chat x')::uuid",
            "session turn /work/turn t",
        )
    })
}

fn unsafe_and_retired_sessions_are_forgotten(context: &Context) -> Result<()> {
    on_generations(context, &["chat_runtime"], |client, _| {
        insert_work(context, client)?;
        let features = values(client, "SELECT unnest(features) FROM multica_status()")?;
        let has_retired = features.iter().any(|name| name == "retired");
        let pointer = "SELECT session_id, runtime_id IS NULL FROM chat_session WHERE id = md5('chat x')::uuid";
        let set = |client: &mut Client, session: &str, runtime: &str| {
            client.batch_execute(&format!(
                "UPDATE chat_session SET session_id = '{session}', runtime_id = md5('runtime {runtime}')::uuid
                 WHERE id = md5('chat x')::uuid"
            ))
        };
        for (session, runtime, expected) in
            [("session turn", "x", " t"), ("session turn", "y", "session turn f"), ("another", "x", "another f")]
        {
            set(client, session, runtime)?;
            fail(client, "task turn", "api_invalid_request")?;
            expect(client, pointer, expected)?;
        }
        if has_retired {
            set(client, "given up", "x")?;
            let retire = "UPDATE agent_task_queue SET retired_session_id = 'given up'";
            client.batch_execute(&format!("{retire}, session_id = NULL WHERE id = md5('task turn')::uuid"))?;
            fail(client, "task turn", "agent_error")?;
            expect(client, pointer, " t")?;
            set(client, "given up", "x")?;
            client.batch_execute(&format!("{retire}, session_id = 'new' WHERE id = md5('task turn')::uuid"))?;
            fail(client, "task turn", "agent_error")?;
            expect(client, pointer, "new f")?;
        }
        Ok(())
    })
}

fn run_and_quota_are_settled_once(context: &Context) -> Result<()> {
    on_generations(context, &["quota"], |client, _| {
        let state =
            "SELECT r.status, r.failure_reason, q.state, q.finalized_at IS NOT NULL, p.used_count, p.reserved_count
            FROM autopilot_run AS r JOIN autopilot_quota_reservation AS q ON q.id = r.quota_reservation_id
            JOIN autopilot_quota_period AS p ON p.workspace_id = q.workspace_id WHERE r.id = md5('run running')::uuid";
        expect(client, state, "running  reserved f 1 1")?;
        fail(client, "task run running", "agent_error")?;
        expect(client, state, "failed broken released t 1 0")?;
        // Once more, and a run that has been completed in the meantime.
        fail(client, "task run running", "agent_error")?;
        client.batch_execute("UPDATE autopilot_run SET status = 'completed' WHERE id = md5('run running')::uuid")?;
        fail(client, "task run running", "agent_error")?;
        expect(client, state, "completed broken released t 1 0")
    })
}

fn run_of_an_issue_ends_with_its_last_task(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            "UPDATE autopilot_run SET issue_id = md5('issue x')::uuid WHERE id = md5('run issue')::uuid",
        )?;
        let run = "SELECT status, failure_reason FROM autopilot_run WHERE id = md5('run issue')::uuid";
        for reason in ["timeout", "runtime_offline"] {
            client.batch_execute("DELETE FROM agent_task_queue WHERE parent_task_id = md5('task x')::uuid")?;
            fail(client, "task x", reason)?;
            expect(client, run, "issue_created ")?;
        }
        client.batch_execute(
            "DELETE FROM agent_task_queue WHERE parent_task_id = md5('task x')::uuid;
             INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, dispatched_at)
             SELECT md5('task of another')::uuid, id, runtime_id, md5('issue x')::uuid, 'running', now()
             FROM agent WHERE id = md5('agent cloud')::uuid",
        )?;
        fail(client, "task x", "agent_error")?;
        expect(client, run, "issue_created ")?;
        fail(client, "task of another", "agent_error")?;
        expect(client, run, "failed broken")
    })
}

/// A sweep waits for no row, and a waiting call takes quota rows in the order of the server.
fn held_quota_postpones_the_verdict(context: &Context) -> Result<()> {
    on_databases(context, &["quota"], |database, client| {
        client.batch_execute(
            "UPDATE agent_task_queue SET issue_id = NULL WHERE id = md5('task run running')::uuid;
             UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '1 day'",
        )?;
        let sweep =
            "SELECT count(*) FROM multica_fail_tasks_for_offline_runtimes(0) WHERE id = md5('task run running')::uuid";
        for held in ["autopilot_quota_period", "autopilot_quota_reservation WHERE state = 'reserved'"] {
            let mut server = database.connect()?;
            server.batch_execute(&format!("BEGIN; SELECT FROM {held} FOR UPDATE"))?;
            client.batch_execute("SET lock_timeout = '2s'")?;
            expect(client, sweep, "0")?;
            client.batch_execute("RESET lock_timeout")?;
            server.batch_execute("ROLLBACK")?;
        }
        let mut server = database.connect()?;
        server.batch_execute("BEGIN; SELECT FROM autopilot_quota_reservation WHERE state = 'reserved' FOR UPDATE")?;
        let recover = start(
            database,
            "SELECT multica_recover_orphans(runtime_id) FROM agent_task_queue WHERE id = md5('task run running')::uuid",
        )?;
        recover.wait_until_blocked(client)?;
        server.batch_execute("UPDATE autopilot_quota_period SET used_count = used_count; COMMIT")?;
        recover.finish()?;
        expect(client, "SELECT used_count, reserved_count FROM autopilot_quota_period", "1 0")?;
        Ok(())
    })
}

fn tokens_of_ended_tasks_are_deleted(context: &Context) -> Result<()> {
    on_generations(context, &["token"], |client, _| {
        let tokens = "SELECT count(*) FROM task_token WHERE task_id = md5('task running')::uuid";
        expect(client, tokens, "1")?;
        expect(client, "SELECT count(*) > 1 FROM task_token", "t")?;
        fail(client, "task running", "agent_error")?;
        expect(client, tokens, "0")?;
        expect(client, "SELECT count(*) > 0 FROM task_token", "t")
    })
}

fn ended_task_has_no_lease_and_no_wait_reason(context: &Context) -> Result<()> {
    on_generations(context, &["lease", "waiting"], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            "UPDATE agent_task_queue SET status = 'waiting_local_directory', wait_reason = 'busy', started_at = NULL,
                 prepare_lease_expires_at = now() + interval '1 minute'
             WHERE id = md5('task x')::uuid",
        )?;
        client.batch_execute("SELECT FROM multica_recover_orphans(md5('runtime x')::uuid)")?;
        expect(
            client,
            "SELECT status, completed_at IS NOT NULL, prepare_lease_expires_at, wait_reason FROM agent_task_queue
             WHERE id = md5('task x')::uuid",
            "failed t  ",
        )
    })
}

/// The server has inserted the pending task of the pair and has not committed. It then locks the keys that its foreign
/// keys need. A recovery waits for it, and a sweep does not; neither makes a second pending task.
fn queued_row_of_the_server_is_waited_for(context: &Context) -> Result<()> {
    on_databases(context, &[], |database, client| {
        insert_work(context, client)?;
        client.batch_execute(
            "UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '1 day' WHERE id = md5('runtime x')::uuid",
        )?;
        let mut server = database.connect()?;
        server.batch_execute(
            "BEGIN; INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, attempt, parent_task_id)
             VALUES (md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid, 2, NULL)",
        )?;
        client.batch_execute("SET lock_timeout = '2s'")?;
        let sweep = "SELECT count(*) FROM multica_fail_tasks_for_offline_runtimes(0) WHERE id = md5('task x')::uuid";
        expect(client, sweep, "0")?;
        let recover = start(database, "SELECT FROM multica_recover_orphans(md5('runtime x')::uuid)")?;
        recover.wait_until_blocked(client)?;
        server.batch_execute(
            "SELECT FROM agent_task_queue WHERE id = md5('task x')::uuid FOR KEY SHARE;
             SELECT FROM issue WHERE id = md5('issue x')::uuid FOR KEY SHARE; COMMIT",
        )?;
        recover.finish()?;
        expect(
            client,
            "SELECT count(*) FILTER (WHERE status = 'queued'), count(*) FILTER (WHERE status = 'failed') FROM agent_task_queue
             WHERE issue_id = md5('issue x')::uuid",
            "1 1",
        )?;
        Ok(())
    })
}

/// The server fails the task itself, or queues a turn of the chat, while a recovery waits for it.
fn transactions_of_the_server_are_no_deadlock(context: &Context) -> Result<()> {
    on_databases(context, &[], |database, client| {
        insert_work(context, client)?;
        for (first, second, expected) in [
            (
                "SELECT FROM chat_session WHERE id = md5('chat x')::uuid FOR UPDATE",
                "SELECT FROM agent WHERE id = md5('agent x')::uuid FOR UPDATE",
                "runtime_recovery",
            ),
            (
                "UPDATE agent_task_queue SET status = 'failed', completed_at = now(), failure_reason = 'agent_error'
                 WHERE id = md5('task x')::uuid",
                "SELECT FROM agent WHERE id = md5('agent x')::uuid FOR KEY SHARE;
                 SELECT FROM issue WHERE id = md5('issue x')::uuid FOR KEY SHARE;
                 SELECT FROM agent_runtime WHERE id = md5('runtime x')::uuid FOR KEY SHARE",
                "agent_error",
            ),
        ] {
            client.batch_execute(
                "DELETE FROM agent_task_queue WHERE parent_task_id IN (md5('task x')::uuid, md5('task turn')::uuid);
                 UPDATE agent_task_queue SET status = 'running', completed_at = NULL, failure_reason = NULL
                 WHERE id IN (md5('task x')::uuid, md5('task turn')::uuid)",
            )?;
            let mut server = database.connect()?;
            server.batch_execute(&format!("BEGIN; {first}"))?;
            let recover = start(database, "SELECT FROM multica_recover_orphans(md5('runtime x')::uuid)")?;
            recover.wait_until_blocked(client)?;
            server.batch_execute(&format!("{second}; COMMIT"))?;
            recover.finish()?;
            let reason = "SELECT status, failure_reason FROM agent_task_queue WHERE id = md5('task x')::uuid";
            expect(client, reason, &format!("failed {expected}"))?;
        }
        Ok(())
    })
}

//! The calls that cancel tasks.

use anyhow::Result;

use super::{dispatch, of, on_work, rerun, set};
use crate::context::Context;
use crate::suites::support::{expect, expect_state};

/// Tasks that wait or are deferred, and one that has ended, all of them on the issue, the chat and the runtime.
const TASKS: &str = "
    DELETE FROM agent_task_queue WHERE id IN (md5('waits')::uuid, md5('is deferred')::uuid, md5('has ended')::uuid);
    INSERT INTO comment (id, issue_id, workspace_id, author_type, author_id, content)
    SELECT md5('comment x')::uuid, md5('issue x')::uuid, md5('workspace 1')::uuid, 'member', md5('user 1')::uuid, 'x'
    WHERE NOT EXISTS (SELECT FROM comment WHERE id = md5('comment x')::uuid);
    INSERT INTO agent_task_queue (
        id, agent_id, runtime_id, issue_id, chat_session_id, trigger_comment_id, status, dispatched_at, wait_reason,
        prepare_lease_expires_at, fire_at
    )
    SELECT md5(label)::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid, md5('chat x')::uuid,
        md5('comment x')::uuid, status, dispatched_at, 'in use', dispatched_at, now()
    FROM (VALUES
        ('waits', 'waiting_local_directory', now()), ('is deferred', 'deferred', NULL), ('has ended', 'failed', now())
    ) AS t (label, status, dispatched_at)";

pub fn every_cancel_ends_waiting_and_deferred_tasks(context: &Context) -> Result<()> {
    on_work(context, &["waiting", "deferred", "lease"], |_, client| {
        for call in [
            "multica_cancel_issue_tasks(md5('issue x')::uuid)",
            "multica_cancel_issue_tasks(md5('issue x')::uuid, md5('agent x')::uuid)",
            "multica_cancel_agent_tasks(md5('agent x')::uuid)",
            "multica_cancel_comment_tasks(md5('comment x')::uuid)",
            "multica_cancel_chat_tasks(md5('chat x')::uuid)",
            "multica_cancel_runtime_tasks(md5('runtime x')::uuid)",
            "multica_cancel(md5('waits')::uuid) AS a, multica_cancel(md5('is deferred')::uuid) AS b",
        ] {
            client.batch_execute(TASKS)?;
            client.batch_execute(&format!("SELECT FROM {call}"))?;
            for task in ["waits", "is deferred"] {
                expect(
                    client,
                    &of(
                        "status, completed_at > now() - interval '1 minute', prepare_lease_expires_at, wait_reason",
                        task,
                    ),
                    "cancelled t  ",
                )?;
            }
            expect(client, &of("status", "has ended"), "failed")?;
        }
        // A task of a runtime, a chat or a comment that does not exist.
        for call in ["multica_cancel_comment_tasks", "multica_cancel_chat_tasks", "multica_cancel_runtime_tasks"] {
            expect_state(client, &format!("SELECT FROM {call}(md5('nothing')::uuid)"), "P0002")?;
        }
        Ok(())
    })
}

/// A rerun cancels what has not started, and beside today's server the deletion of a runtime everything that is open.
pub fn rerun_and_deletion_end_what_they_cancel(context: &Context) -> Result<()> {
    on_work(context, &["waiting", "deferred", "lease", "unbound"], |place, client| {
        let ended = "status, completed_at > now() - interval '1 minute', prepare_lease_expires_at, wait_reason";
        client.batch_execute(&format!("{TASKS}; UPDATE agent_task_queue SET chat_session_id = NULL"))?;
        for call in ["multica_rerun(md5('issue x')::uuid)", "multica_rerun_task(md5('has ended')::uuid)"] {
            client.batch_execute(
                "DELETE FROM agent_task_queue WHERE status = 'queued' AND issue_id = md5('issue x')::uuid",
            )?;
            set(client, "is deferred", "status = 'deferred', completed_at = NULL, prepare_lease_expires_at = now()")?;
            dispatch(place, client, "waits")?;
            set(client, "waits", "wait_reason = 'in use'")?;
            client.batch_execute(&format!("SELECT FROM {call}"))?;
            for task in ["waits", "is deferred"] {
                expect(client, &of(ended, task), "cancelled t  ")?;
            }
        }
        if place.has("own") {
            return Ok(());
        }
        client.batch_execute(TASKS)?;
        client
            .batch_execute("SELECT FROM multica_delete_runtime(md5('runtime x')::uuid, ARRAY[md5('agent x')::uuid])")?;
        for task in ["waits", "is deferred"] {
            expect(client, &of(&format!("{ended}, runtime_id"), task), "cancelled t   ")?;
        }
        expect(client, &of("status", "has ended"), "failed")
    })
}

pub fn cancel_of_a_comment_takes_joined_tasks(context: &Context) -> Result<()> {
    on_work(context, &["coalesced"], |place, client| {
        rerun(place, client, "task x")?;
        client.batch_execute(
            "INSERT INTO comment (id, issue_id, workspace_id, author_type, author_id, content)
             SELECT md5('comment ' || label)::uuid, md5('issue x')::uuid, md5('workspace 1')::uuid, 'member', md5('user 1')::uuid, label
             FROM unnest(ARRAY['first', 'second', 'other']) AS label;
             INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, trigger_comment_id, coalesced_comment_ids)
             VALUES (md5('joined')::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid,
                 md5('comment second')::uuid, ARRAY[md5('comment first')::uuid])",
        )?;
        let cancel = |comment: &str| {
            format!(
                "SELECT count(*), bool_and(coalesced_comment_ids = ARRAY[md5('comment first')::uuid])
                 FROM multica_cancel_comment_tasks(md5('comment {comment}')::uuid)"
            )
        };
        expect(client, &cancel("other"), "0 ")?;
        expect(client, &of("status", "joined"), "queued")?;
        for comment in ["first", "second"] {
            set(client, "joined", "status = 'queued', completed_at = NULL")?;
            expect(client, &cancel(comment), "1 t")?;
            expect(client, &of("status", "joined"), "cancelled")?;
        }
        expect(client, &of("status", "task x"), "running")
    })
}

pub fn only_a_call_cancels_tasks_of_an_issue(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        rerun(place, client, "task x")?;
        client.batch_execute(
            "UPDATE issue SET status = 'cancelled', assignee_type = 'member', assignee_id = md5('user 1')::uuid
             WHERE id = md5('issue x')::uuid",
        )?;
        expect(client, &of("status", "task x"), "running")?;
        client.batch_execute(
            "BEGIN; SELECT FROM multica_cancel_issue_tasks(md5('issue x')::uuid); DELETE FROM issue WHERE id = md5('issue x')::uuid;
             COMMIT",
        )?;
        expect(
            client,
            "SELECT type, payload ->> 'task_id' = md5('task x')::uuid::text FROM multica_event_log WHERE type = 'task:cancelled'",
            "task:cancelled t",
        )
    })
}

pub fn cancel_stores_why(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        rerun(place, client, "task x")?;
        let cancel = "SELECT status, error, failure_reason, applied
            FROM multica_cancel(md5('task x')::uuid, 'the directory is gone', 'local_directory_error')";
        expect(client, cancel, "cancelled the directory is gone local_directory_error t")?;
        expect(client, "SELECT status FROM multica_cancel(md5('task x')::uuid, 'again', 'again')", "cancelled")?;
        expect(client, &of("error, failure_reason", "task x"), "the directory is gone local_directory_error")
    })
}

pub fn cancel_moves_pointer_of_its_chat(context: &Context) -> Result<()> {
    on_work(context, &["chat_runtime"], |place, client| {
        let pointer =
            "SELECT session_id, runtime_id = md5('runtime x')::uuid FROM chat_session WHERE id = md5('chat x')::uuid";
        for call in [
            "multica_cancel(md5('task turn')::uuid)",
            "multica_cancel_agent_tasks(md5('agent x')::uuid)",
            "multica_cancel_chat_tasks(md5('chat x')::uuid)",
            "multica_cancel_runtime_tasks(md5('runtime x')::uuid)",
        ] {
            rerun(place, client, "task turn")?;
            client.batch_execute(&format!(
                "UPDATE chat_session SET session_id = 'older', runtime_id = md5('runtime y')::uuid WHERE id = md5('chat x')::uuid;
                 SELECT FROM {call}"
            ))?;
            expect(client, pointer, "session task turn t")?;
        }
        Ok(())
    })
}

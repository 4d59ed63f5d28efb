//! Between the claim of a task and its start.

use anyhow::{Result, ensure};

use super::{dispatch, of, on_work, recorded, set, token, word};
use crate::context::Context;
use crate::suites::support::{expect, expect_state};

const AGENT: &str = "SELECT status FROM agent WHERE id = md5('agent x')::uuid";

pub fn start_ends_lease_and_wait(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        set(client, "task turn", "status = 'completed', completed_at = now()")?;
        dispatch(place, client, "task x")?;
        let start = "SELECT FROM multica_start(md5('task x')::uuid)";
        let events = recorded(client, start)?;
        ensure!(events == "task:running", "{events}");
        expect(client, &of("status, started_at > now() - interval '1 minute'", "task x"), "running t")?;
        expect(
            client,
            "SELECT payload ->> 'status', payload ->> 'runtime_id' = md5('runtime x')::uuid::text, workspace_id = md5('workspace 1')::uuid
             FROM multica_event_log WHERE type = 'task:running'",
            "running t t",
        )?;
        if place.has("lease") {
            expect(client, &of("prepare_lease_expires_at", "task x"), "")?;
        }
        if place.has("waiting") {
            dispatch(place, client, "task x")?;
            set(client, "task x", "status = 'waiting_local_directory', wait_reason = 'in use'")?;
            client.batch_execute("UPDATE agent SET status = 'idle' WHERE id = md5('agent x')::uuid")?;
            let events = recorded(client, start)?;
            ensure!(events == "task:running agent:status", "{events}");
            expect(client, &of("status, wait_reason", "task x"), "running ")?;
            expect(client, AGENT, "working")?;
        }
        Ok(())
    })
}

pub fn waiting_task_leaves_its_agent_idle(context: &Context) -> Result<()> {
    on_work(context, &["waiting"], |place, client| {
        set(client, "task turn", "status = 'completed', completed_at = now()")?;
        dispatch(place, client, "task x")?;
        let token = token(client, "task x")?;
        let wait = |reason: &str| format!("multica_wait(md5('task x')::uuid, {reason}, {token})");
        let events = recorded(client, &format!("SELECT FROM {}", wait("'the directory is in use'")))?;
        ensure!(events == "task:waiting_local_directory agent:status", "{events}");
        expect(client, &of("status, wait_reason", "task x"), "waiting_local_directory the directory is in use")?;
        expect(client, AGENT, "idle")?;
        expect(
            client,
            "SELECT payload ->> 'wait_reason', payload ->> 'status' FROM multica_event_log WHERE type = 'task:waiting_local_directory'",
            "the directory is in use waiting_local_directory",
        )?;
        // The holder of the token repeats the call.
        expect(client, &format!("SELECT applied, status FROM {}", wait("'again'")), "f waiting_local_directory")?;
        expect(client, &of("wait_reason", "task x"), "the directory is in use")?;
        // Nobody else learns the path of the directory.
        for path in ["'/home/anna/work'", r"'C:\work'", r"'\\server\work'", "' '", "NULL"] {
            set(client, "task x", "status = 'dispatched', wait_reason = NULL")?;
            expect(client, &format!("SELECT status, wait_reason FROM {}", wait(path)), "waiting_local_directory ")?;
        }
        // A waiting task has a place of its agent.
        expect(client, "SELECT multica_count_running_tasks(md5('agent x')::uuid)", "1")
    })
}

pub fn only_the_holder_of_a_claim_prepares_its_task(context: &Context) -> Result<()> {
    on_work(context, &["waiting", "lease"], |place, client| {
        for call in [
            "multica_wait(md5('task x')::uuid, 'x', {})",
            "multica_extend_lease(md5('task x')::uuid, {})",
            "multica_start(md5('task x')::uuid, {})",
            "multica_requeue(md5('task x')::uuid, {})",
        ] {
            dispatch(place, client, "task x")?;
            let token = token(client, "task x")?;
            let call = |token: &str| format!("SELECT FROM {}", call.replace("{}", token));
            let found = word(client, &call("1"))?;
            ensure!(found == "stale_claim", "{}: {found}", call("1"));
            client.batch_execute(&call(&token))?;
            set(client, "task x", "status = 'cancelled', completed_at = now()")?;
            let found = word(client, &call(&token))?;
            ensure!(found == "final", "{}: {found}", call(&token));
        }
        set(client, "task x", "status = 'waiting_local_directory', completed_at = NULL")?;
        for call in ["multica_start", "multica_extend_lease"] {
            let found = word(client, &format!("SELECT FROM {call}(md5('task x')::uuid, 1)"))?;
            ensure!(found == "stale_claim", "{call} of a waiting task: {found}");
        }
        let found = word(client, "SELECT FROM multica_requeue(md5('task x')::uuid)")?;
        ensure!(found == "wrong_state", "requeue of a waiting task: {found}");
        Ok(())
    })
}

pub fn lease_lasts_for_the_setting(context: &Context) -> Result<()> {
    on_work(context, &["lease"], |place, client| {
        let lease = of("round(extract(epoch FROM prepare_lease_expires_at - clock_timestamp()))", "task x");
        for call in ["multica_extend_lease(md5('task x')::uuid)", "multica_wait(md5('task x')::uuid, 'x')"] {
            if call.contains("wait") && !place.has("waiting") {
                continue;
            }
            for (setting, expected) in [("45s", "45"), ("2min", "120"), ("0", "")] {
                dispatch(place, client, "task x")?;
                let events = recorded(
                    client,
                    &format!(
                        "SET multica.prepare_lease = '{setting}'; SELECT FROM {call}; RESET multica.prepare_lease"
                    ),
                )?;
                ensure!(call.contains("wait") || events.is_empty(), "{call} records {events}");
                expect(client, &lease, expected)?;
            }
        }
        // A lease that has expired is extended as well.
        dispatch(place, client, "task x")?;
        set(client, "task x", "prepare_lease_expires_at = now() - interval '1 hour'")?;
        expect(client, "SELECT applied FROM multica_extend_lease(md5('task x')::uuid)", "t")?;
        expect(client, &lease, "45")
    })
}

pub fn requeued_task_uses_up_no_attempt(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        set(client, "task turn", "status = 'completed', completed_at = now()")?;
        dispatch(place, client, "task x")?;
        if place.has("delivered") {
            set(client, "task x", "delivered_comment_ids = ARRAY[md5('comment')::uuid]")?;
        }
        let events = recorded(client, "SELECT FROM multica_requeue(md5('task x')::uuid)")?;
        ensure!(events == "task:queued agent:status", "{events}");
        expect(client, &of("status, attempt, dispatched_at IS NULL", "task x"), "queued 1 t")?;
        expect(client, AGENT, "idle")?;
        if place.has("lease") {
            expect(client, &of("prepare_lease_expires_at", "task x"), "")?;
        }
        if place.has("delivered") {
            expect(client, &of("delivered_comment_ids", "task x"), "{}")?;
        }
        expect(client, "SELECT applied, status FROM multica_requeue(md5('task x')::uuid)", "f queued")?;
        set(client, "task x", "status = 'running', dispatched_at = now(), started_at = now()")?;
        expect_state(client, "SELECT FROM multica_requeue(md5('task x')::uuid)", "55000")
    })
}

/// Tasks of another agent that are to run unless the task starts, in every status in which they can be.
const ESCALATIONS: &str = "
    INSERT INTO agent (id, workspace_id, name, runtime_mode, runtime_id, status, owner_id)
    VALUES (md5('agent z')::uuid, md5('workspace 1')::uuid, 'z', 'local', md5('runtime y')::uuid, 'working', md5('user 1')::uuid);
    INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, fire_at, dispatched_at, escalation_for_task_id)
    SELECT md5('escalation ' || status)::uuid, md5('agent z')::uuid, md5('runtime y')::uuid, md5('issue x')::uuid, status,
        now() + interval '5 minutes', CASE status WHEN 'dispatched' THEN now() END, md5('task x')::uuid
    FROM unnest(ARRAY['deferred', 'dispatched', 'waiting_local_directory']) AS status;
    INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, fire_at, escalation_for_task_id)
    VALUES (md5('escalation of another')::uuid, md5('agent z')::uuid, md5('runtime y')::uuid, md5('issue x')::uuid, 'deferred',
        now() + interval '5 minutes', md5('task turn')::uuid)";

/// Returns the statuses of the escalations.
const STATUSES: &str = "
    SELECT status, count(*), bool_and(completed_at IS NOT NULL) FROM agent_task_queue WHERE escalation_for_task_id IS NOT NULL
    AND agent_id = md5('agent z')::uuid GROUP BY 1 ORDER BY 1";

pub fn start_cancels_escalations(context: &Context) -> Result<()> {
    on_work(context, &["escalation"], |place, client| {
        for status in ["dispatched", "waiting_local_directory"] {
            client.batch_execute("DELETE FROM agent WHERE id = md5('agent z')::uuid")?;
            client.batch_execute(ESCALATIONS)?;
            dispatch(place, client, "task x")?;
            set(client, "task x", &format!("status = '{status}'"))?;
            let events = recorded(client, "SELECT FROM multica_start(md5('task x')::uuid)")?;
            ensure!(
                events == "task:running task:cancelled task:cancelled task:cancelled agent:status",
                "start of a {status} task: {events}"
            );
            expect(client, STATUSES, "cancelled 3 t\ndeferred 1 f")?;
            expect(client, "SELECT status FROM agent WHERE id = md5('agent z')::uuid", "idle")?;
            expect(client, &of("status", "task x"), "running")?;
        }
        // Nothing happens to them if the task does not start.
        client.batch_execute("DELETE FROM agent WHERE id = md5('agent z')::uuid")?;
        client.batch_execute(ESCALATIONS)?;
        dispatch(place, client, "task x")?;
        expect_state(client, "SELECT FROM multica_start(md5('task x')::uuid, 1)", "55000")?;
        expect(client, STATUSES, "deferred 2 f\ndispatched 1 f\nwaiting_local_directory 1 f")
    })
}

/// An escalation that is inserted while its task starts, or that a server did not cancel, does not run.
pub fn escalation_of_started_task_is_never_queued(context: &Context) -> Result<()> {
    on_work(context, &["escalation", "deferred"], |_, client| {
        client.batch_execute(ESCALATIONS)?;
        client.batch_execute(
            "DELETE FROM agent_task_queue WHERE id IN (md5('escalation dispatched')::uuid, md5('escalation waiting_local_directory')::uuid);
             UPDATE agent_runtime SET last_seen_at = now() WHERE status = 'online'",
        )?;
        for (started, expected) in [("now()", "cancelled 1 t\ndeferred 1 f"), ("NULL", "deferred 1 f\nqueued 1 f")] {
            set(
                client,
                "escalation deferred",
                "status = 'deferred', completed_at = NULL, fire_at = now() - interval '1 second'",
            )?;
            set(client, "task x", &format!("status = 'failed', completed_at = now(), started_at = {started}"))?;
            client.batch_execute("SELECT multica_sweep()")?;
            expect(client, STATUSES, expected)?;
        }
        Ok(())
    })
}

/// In a large table of an earlier version, the index is missing until its owner has built it.
pub fn escalations_are_found_without_their_index(context: &Context) -> Result<()> {
    on_work(context, &["escalation"], |place, client| {
        client.batch_execute(ESCALATIONS)?;
        client.batch_execute(
            "DROP INDEX IF EXISTS idx_agent_task_queue_escalation_for; DROP INDEX IF EXISTS multica_task_escalation",
        )?;
        expect(client, "SELECT 'escalation_index' = ANY (features) FROM multica_status()", "f")?;
        dispatch(place, client, "task x")?;
        client.batch_execute("SELECT FROM multica_start(md5('task x')::uuid)")?;
        expect(client, STATUSES, "cancelled 3 t\ndeferred 1 f")
    })
}

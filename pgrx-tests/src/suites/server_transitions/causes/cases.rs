//! The calls that record several events, with the rows that each needs.

use super::super::Place;

/// A call, and what it needs.
pub struct Case {
    /// Features of the tables; after `!` one that they must not have.
    pub needs: &'static [&'static str],
    /// Changes [`WORK`] before the call.
    pub prepare: &'static str,
    /// The call.
    pub call: &'static str,
}

impl Case {
    /// Returns the name of the function.
    pub fn function(&self) -> &'static str {
        self.call.split('(').next().unwrap_or_default()
    }

    /// Whether the tables have what the case needs.
    pub fn is_possible(&self, place: &Place) -> bool {
        self.needs.iter().all(|need| match need.strip_prefix('!') {
            Some(feature) => !place.has(feature),
            None => place.has(need),
        })
    }
}

/// Beside the fixture: a run of the issue, a running task of another run, an ended task of the issue, and a comment.
pub const WORK: &str = "
    INSERT INTO autopilot (id, workspace_id, title, assignee_id, execution_mode, created_by_type, created_by_id)
    VALUES (md5('autopilot x')::uuid, md5('workspace 1')::uuid, 'x', md5('agent x')::uuid, 'create_issue', 'member', md5('user 1')::uuid);
    INSERT INTO autopilot_run (id, autopilot_id, source, status, issue_id)
    VALUES (md5('run of issue x')::uuid, md5('autopilot x')::uuid, 'manual', 'issue_created', md5('issue x')::uuid),
        (md5('run x')::uuid, md5('autopilot x')::uuid, 'manual', 'running', NULL);
    INSERT INTO agent_task_queue (id, agent_id, runtime_id, autopilot_run_id, status, dispatched_at, started_at)
    VALUES (md5('task of run')::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, md5('run x')::uuid, 'running', now(), now());
    INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, created_at, dispatched_at, started_at, completed_at)
    SELECT md5('task before')::uuid, agent_id, runtime_id, issue_id, 'completed', t, t, t, t
    FROM agent_task_queue, (SELECT now() - interval '1 day' AS t) AS s WHERE id = md5('task x')::uuid;
    INSERT INTO comment (id, issue_id, workspace_id, author_type, author_id, content)
    VALUES (md5('comment x')::uuid, md5('issue x')::uuid, md5('workspace 1')::uuid, 'member', md5('user 1')::uuid, 'x');
    UPDATE agent_task_queue SET trigger_comment_id = md5('comment x')::uuid WHERE id = md5('task x')::uuid";

/// Only the task of the issue is in flight.
const ONLY_X: &str = "UPDATE agent_task_queue SET status = 'completed', completed_at = now()
    WHERE id IN (md5('task turn')::uuid, md5('task of run')::uuid)";

/// As [`ONLY_X`], and the task has not started. It is the second attempt.
const ONLY_X_DISPATCHED: &str = "UPDATE agent_task_queue SET status = 'completed', completed_at = now()
    WHERE id IN (md5('task turn')::uuid, md5('task of run')::uuid);
    UPDATE agent_task_queue
    SET status = 'dispatched', dispatched_at = now(), started_at = NULL, attempt = 2, parent_task_id = md5('task before')::uuid
    WHERE id = md5('task x')::uuid";

/// Only the turn is in flight.
const ONLY_TURN: &str = "UPDATE agent_task_queue SET status = 'completed', completed_at = now()
    WHERE id IN (md5('task x')::uuid, md5('task of run')::uuid)";

/// Only the task of the run is in flight.
const ONLY_RUN: &str = "UPDATE agent_task_queue SET status = 'completed', completed_at = now()
    WHERE id IN (md5('task x')::uuid, md5('task turn')::uuid)";

/// Nothing is in flight, a task waits, and the machine was silent.
macro_rules! silent_with_task {
    ($columns:literal, $values:literal) => {
        concat!(
            "UPDATE agent_task_queue SET status = 'completed', completed_at = now() - interval '1 hour'
             WHERE agent_id = md5('agent x')::uuid AND completed_at IS NULL;
             UPDATE agent SET status = 'idle' WHERE id = md5('agent x')::uuid;
             UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '1 day' WHERE id = md5('runtime x')::uuid;
             INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id",
            $columns,
            ") VALUES (md5('new')::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid",
            $values,
            ")"
        )
    };
}

/// Silence has failed the task of the issue, whose retry waits. The machine is still silent.
const LATE: &str = "UPDATE agent_task_queue SET status = 'completed', completed_at = now() - interval '1 hour'
    WHERE id IN (md5('task turn')::uuid, md5('task of run')::uuid);
    UPDATE agent_task_queue
    SET status = 'failed', completed_at = now(), failure_reason = 'runtime_offline', error = 'runtime went offline'
    WHERE id = md5('task x')::uuid;
    INSERT INTO agent_task_queue (
        id, agent_id, runtime_id, issue_id, trigger_comment_id, attempt, parent_task_id, session_id, work_dir, created_at)
    SELECT md5('retry')::uuid, agent_id, runtime_id, issue_id, trigger_comment_id, 2, id, session_id, work_dir, now()
    FROM agent_task_queue WHERE id = md5('task x')::uuid;
    UPDATE agent SET status = 'idle' WHERE id = md5('agent x')::uuid;
    UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '1 day' WHERE id = md5('runtime x')::uuid";

/// The token of the claim of the task.
macro_rules! token {
    () => {
        "(SELECT (extract(epoch FROM dispatched_at) * 1000000)::bigint FROM agent_task_queue WHERE id = md5('task x')::uuid)"
    };
}

/// The machine is silent, and the extension has not noticed it.
const SILENT: &str =
    "UPDATE agent_runtime SET last_seen_at = now() - interval '4 hours' WHERE id = md5('runtime x')::uuid";

/// The machine is known to be silent.
const OFFLINE: &str = "UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '4 hours'
    WHERE id = md5('runtime x')::uuid";

/// A server has failed the task of the issue.
const FAILED: &str = "UPDATE agent_task_queue SET status = 'completed', completed_at = now() - interval '1 hour'
    WHERE id IN (md5('task turn')::uuid, md5('task of run')::uuid);
    UPDATE agent_task_queue SET status = 'failed', completed_at = now(), failure_reason = 'timeout' WHERE id = md5('task x')::uuid";

/// The task of the issue waits for its directory, and an escalation waits for its start.
const ESCALATED: &str = "UPDATE agent_task_queue SET status = 'completed', completed_at = now()
    WHERE id IN (md5('task turn')::uuid, md5('task of run')::uuid);
    UPDATE agent_task_queue SET status = 'waiting_local_directory', dispatched_at = now(), started_at = NULL WHERE id = md5('task x')::uuid;
    UPDATE agent SET status = 'idle' WHERE id = md5('agent x')::uuid;
    INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, fire_at, escalation_for_task_id)
    VALUES (md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid, 'deferred', now() + interval '1 hour', md5('task x')::uuid)";

const ARCHIVED: &str = "UPDATE agent SET archived_at = now() WHERE id = md5('agent x')::uuid";

const fn case(needs: &'static [&'static str], prepare: &'static str, call: &'static str) -> Case {
    Case { needs, prepare, call }
}

/// The merges and reassignments of runtimes whose system agents have one key.
const KEYS: &[&str] = &["system_agents", "!own"];

/// All cases.
pub const CASES: [Case; 40] = [
    case(&[], silent_with_task!("", ""), "multica_claim(md5('runtime x')::uuid)"),
    case(
        &["deferred"],
        silent_with_task!(", status, fire_at", ", 'deferred', now() - interval '1 second'"),
        "multica_claim(md5('runtime x')::uuid)",
    ),
    case(
        &["deferred"],
        silent_with_task!(", status, fire_at", ", 'deferred', now() - interval '1 second'"),
        "multica_claim_many(ARRAY[md5('runtime x')::uuid, md5('runtime y')::uuid])",
    ),
    case(&["waiting"], ONLY_X_DISPATCHED, "multica_wait(md5('task x')::uuid, 'busy')"),
    case(&[], ONLY_X_DISPATCHED, "multica_requeue(md5('task x')::uuid)"),
    case(&["waiting", "escalation"], ESCALATED, "multica_start(md5('task x')::uuid)"),
    case(&[], ONLY_X, "multica_complete(md5('task x')::uuid, issue_status => 'done')"),
    case(&[], ONLY_TURN, "multica_complete(md5('task turn')::uuid)"),
    case(&[], ONLY_RUN, "multica_complete(md5('task of run')::uuid)"),
    case(&[], LATE, concat!("multica_complete(md5('task x')::uuid, claim_token => ", token!(), ")")),
    case(&[], ONLY_X, "multica_complete_raw(md5('task x')::uuid, issue_status => 'done')"),
    case(&[], ONLY_X, "multica_fail(md5('task x')::uuid, 'x', 'timeout')"),
    case(&[], ONLY_X, "multica_fail(md5('task x')::uuid, 'x', 'other')"),
    case(&[], ONLY_RUN, "multica_fail(md5('task of run')::uuid, 'x', 'timeout')"),
    case(&[], LATE, concat!("multica_fail(md5('task x')::uuid, 'x', 'other', claim_token => ", token!(), ")")),
    case(&[], ONLY_X, "multica_fail_raw(md5('task x')::uuid, 'x', 'timeout')"),
    case(&[], LATE, concat!("multica_resume(md5('task x')::uuid, ", token!(), ")")),
    case(&[], ONLY_RUN, "multica_cancel(md5('task of run')::uuid)"),
    case(&[], ONLY_X, "multica_cancel_issue_tasks(md5('issue x')::uuid)"),
    case(&[], "SELECT", "multica_cancel_agent_tasks(md5('agent x')::uuid)"),
    case(&[], ONLY_TURN, "multica_cancel_chat_tasks(md5('chat x')::uuid)"),
    case(&[], ONLY_X, "multica_cancel_comment_tasks(md5('comment x')::uuid)"),
    case(&[], "SELECT", "multica_cancel_runtime_tasks(md5('runtime x')::uuid)"),
    case(&[], ONLY_X_DISPATCHED, "multica_rerun(md5('issue x')::uuid)"),
    case(&[], ONLY_X_DISPATCHED, "multica_rerun_task(md5('task before')::uuid)"),
    case(
        &[],
        "SELECT",
        r#"multica_register(md5('workspace 1')::uuid,
            '{"daemon_id": "machine-x", "recover": true, "runtimes": [{"type": "claude"}]}')"#,
    ),
    case(
        KEYS,
        "SELECT",
        r#"multica_register(md5('workspace 1')::uuid, '{"daemon_id": "machine-online",
            "legacy_daemon_ids": ["machine-renamed.local"], "runtimes": [{"type": "claude"}]}')"#,
    ),
    case(
        KEYS,
        "SELECT",
        "multica_merge_legacy(md5('workspace 1')::uuid, 'claude', 'machine-renamed.local', md5('runtime online')::uuid)",
    ),
    case(KEYS, "SELECT", "multica_reassign_agents(md5('runtime renamed')::uuid, md5('runtime online')::uuid)"),
    case(&["unbound", "!own"], "SELECT", "multica_delete_runtime(md5('runtime x')::uuid, ARRAY[md5('agent x')::uuid])"),
    case(&["!unbound"], ARCHIVED, "multica_delete_runtime(md5('runtime x')::uuid)"),
    case(&["own"], ARCHIVED, "multica_delete_runtime(md5('runtime x')::uuid)"),
    case(&["!unbound"], ARCHIVED, "multica_delete_archived_agents(md5('runtime x')::uuid)"),
    case(&["own"], ARCHIVED, "multica_delete_archived_agents(md5('runtime x')::uuid)"),
    case(&[], "SELECT", "multica_recover_orphans(md5('runtime x')::uuid)"),
    case(&[], FAILED, "multica_handle_failed_tasks(ARRAY[md5('task x')::uuid])"),
    case(&[], OFFLINE, "multica_fail_tasks_for_offline_runtimes()"),
    case(
        &[],
        "UPDATE agent_task_queue SET status = 'dispatched', dispatched_at = now() - interval '1 day', started_at = NULL
         WHERE agent_id = md5('agent x')::uuid AND completed_at IS NULL",
        "multica_fail_stale_tasks(300, 9000)",
    ),
    case(&[], SILENT, "multica_sweep()"),
    case(&[], SILENT, "multica_sweep_part('verdicts')"),
];

//! The rows of a generation: each kind of rows that other suites need exists in every generation that allows it.

use anyhow::{Context as _, Result, ensure};

use super::super::support::{expect, values};
use crate::context::Context;

/// Kinds of rows, each with the first migration that makes it possible.
const KINDS: [(u32, &str); 24] = [
    (55, "agent_task_queue WHERE status IN ('completed', 'failed', 'cancelled') AND completed_at IS NULL"),
    (55, "agent_task_queue WHERE status = 'queued' AND issue_id IS NULL AND chat_session_id IS NULL"),
    (55, "agent_task_queue WHERE status = 'queued' AND parent_task_id IS NOT NULL"),
    (55, "agent_task_queue WHERE status = 'running' AND chat_session_id IS NOT NULL"),
    (
        55,
        "agent_runtime AS r JOIN agent_task_queue AS t ON t.runtime_id = r.id \
         WHERE r.status = 'offline' AND t.status = 'running'",
    ),
    (55, "agent_runtime WHERE status = 'online' AND last_seen_at > now() - interval '1 minute'"),
    (55, "agent_runtime WHERE status = 'online' AND last_seen_at < now() - interval '3 hours'"),
    (55, "agent_runtime WHERE status = 'offline' AND last_seen_at < now() - interval '7 days'"),
    (55, "issue WHERE status = 'in_progress'"),
    (
        55,
        "autopilot_run AS r JOIN agent_task_queue AS t ON t.id = r.task_id \
         WHERE r.status = 'running' AND t.status = 'running'",
    ),
    (55, "autopilot_run WHERE status = 'issue_created'"),
    (60, "chat_session WHERE runtime_id IS NOT NULL AND session_id IS NOT NULL"),
    (90, "agent_task_queue WHERE is_leader_task"),
    (102, "task_usage_hourly AS h JOIN task_usage_hourly_dirty AS d USING (bucket_hour, runtime_id, agent_id)"),
    (
        121,
        "agent_runtime AS r JOIN agent_runtime AS p USING (workspace_id, daemon_id, provider) \
           WHERE r.profile_id IS NULL AND p.profile_id IS NOT NULL",
    ),
    (124, "agent_task_queue WHERE status = 'dispatched' AND prepare_lease_expires_at < now()"),
    (124, "agent_task_queue WHERE status = 'dispatched' AND prepare_lease_expires_at > now()"),
    (128, "agent_task_queue WHERE status = 'deferred' AND fire_at < now() AND parent_task_id IS NOT NULL"),
    (163, "agent WHERE kind = 'system' AND system_key IS NOT NULL"),
    (185, "agent_task_queue WHERE originator_user_id = accountable_user_id"),
    (251, "agent_task_queue WHERE runtime_id IS NULL AND completed_at IS NOT NULL"),
    (251, "agent WHERE runtime_id IS NULL"),
    (
        337,
        "issue AS i JOIN issue_status AS s ON s.workspace_id = i.workspace_id AND s.key = i.status \
         WHERE NOT s.is_system",
    ),
    (
        359,
        "autopilot_run AS r JOIN autopilot_quota_reservation AS q ON q.id = r.quota_reservation_id \
         WHERE q.state = 'reserved'",
    ),
];

pub fn every_generation_has_rows_of_every_kind(context: &Context) -> Result<()> {
    for generation in context.generations()?.all() {
        let database = context.generation_with_rows(&generation.name)?;
        let mut client = database.connect()?;
        for (_, kind) in KINDS.iter().filter(|(first, _)| *first <= generation.number) {
            expect(&mut client, &format!("SELECT count(*) > 0 FROM {kind}"), "t").context(generation.name.clone())?;
        }
        // The check of the column contains one quoted word per status.
        let without_task = values(
            &mut client,
            "SELECT word[1] FROM pg_constraint, regexp_matches(pg_get_constraintdef(oid), '''(\\w+)''', 'g') AS word
             WHERE conname = 'agent_task_queue_status_check'
             EXCEPT SELECT status FROM agent_task_queue",
        )?;
        ensure!(without_task.is_empty(), "generation {} has no task that is {without_task:?}", generation.name);
    }
    Ok(())
}

-- Moves those of the tasks $1 that still wait to the runtimes $2 of their agents. The session is removed, because it exists
-- only on the old runtime; the working directory is kept. Beside a server, fire_at is then the time from which on a queued task can
-- be claimed, so that it does not expire at once.
UPDATE agent_task_queue AS t
SET
    -- feature redis_era
    -- feature deferred
    fire_at = CASE WHEN t.status = 'queued' THEN $3 ELSE t.fire_at END,
    -- end deferred
    -- end redis_era
    runtime_id = m.runtime_id, session_id = NULL
FROM unnest($1, $2) AS m (id, runtime_id)
WHERE t.id = m.id AND t.status IN ('queued', 'deferred')
RETURNING t.id, t.agent_id, t.issue_id, t.runtime_id, t.chat_session_id, t.autopilot_run_id, t.parent_task_id, t.status, t.attempt,
    t.max_attempts, t.failure_reason, t.error

-- Lets the time of tasks that began in the future, or gave a sign of life there, begin now. The caller has locked them. dispatched_at
-- is the claim token: a running task keeps it, and a dispatched task gets a new one, so that it is redelivered if its daemon does not
-- start it. A lease of such a task would end in the future too.
UPDATE agent_task_queue AS t
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    -- feature task_beat
    last_heartbeat_at = CASE WHEN t.last_heartbeat_at > $2 THEN $2 ELSE t.last_heartbeat_at END,
    -- end task_beat
    dispatched_at = CASE t.status WHEN 'dispatched' THEN $2 ELSE t.dispatched_at END,
    started_at = CASE WHEN t.started_at > $2 THEN $2 ELSE t.started_at END
WHERE t.id = ANY ($1) AND t.status IN ('dispatched', 'running', 'waiting_local_directory')

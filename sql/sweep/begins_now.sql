-- Lets the time of tasks that began in the future begin now. The caller has locked them. dispatched_at is the claim token: a
-- running task keeps it, and a dispatched task gets a new one, so that it is redelivered if its daemon does not start it. A lease of
-- such a task would end in the future too.
UPDATE agent_task_queue AS t
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    dispatched_at = CASE t.status WHEN 'dispatched' THEN $2 ELSE t.dispatched_at END,
    started_at = CASE t.status WHEN 'running' THEN $2 ELSE t.started_at END
WHERE t.id = ANY ($1) AND t.status IN ('dispatched', 'running', 'waiting_local_directory')

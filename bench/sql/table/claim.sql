UPDATE agent_task_queue SET status = 'dispatched', dispatched_at = now()
WHERE id = ANY (ARRAY(
    SELECT id FROM agent_task_queue
    WHERE runtime_id = :worker AND agent_id = :worker AND status = 'queued'
    ORDER BY priority DESC, created_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
))
RETURNING id

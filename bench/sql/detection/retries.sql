-- Returns the queued retries: the machine of each, and how long after the machine's last heartbeat it was created.
SELECT r.daemon_id, extract(epoch FROM t.created_at - r.last_seen_at)::float8
FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
WHERE t.status = 'queued' AND t.parent_task_id IS NOT NULL

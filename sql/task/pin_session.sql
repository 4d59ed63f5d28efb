UPDATE agent_task_queue AS t
SET session_id = COALESCE(NULLIF($2, ''), t.session_id),
    work_dir = COALESCE(NULLIF($3, ''), t.work_dir),
    last_heartbeat_at = $4
WHERE t.id = $1
  AND t.status IN ('dispatched', 'running')
  AND ($5 IS NULL OR (LEAST(GREATEST(extract(epoch FROM t.dispatched_at), -9000000000000::numeric), 9000000000000::numeric) * 1000000::numeric)::bigint = $5)

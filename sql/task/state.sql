SELECT t.status, (extract(epoch FROM t.dispatched_at) * 1000000::numeric)::bigint, t.chat_session_id IS NOT NULL
FROM agent_task_queue AS t
WHERE t.id = $1

SELECT t.status, (extract(epoch FROM t.dispatched_at) * 1000000::numeric)::bigint FROM agent_task_queue AS t WHERE t.id = $1

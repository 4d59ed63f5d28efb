INSERT INTO agent_task_queue (agent_id, runtime_id, context)
SELECT :worker::uuid, :worker::uuid, jsonb_build_object('n', n) FROM generate_series(1, :count::bigint) AS n
RETURNING id

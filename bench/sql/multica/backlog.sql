-- Queues $1 tasks, distributed over the fleet.
INSERT INTO agent_task_queue (agent_id, runtime_id, context)
SELECT a.id, a.runtime_id, '{"n": 1}'
FROM generate_series(1, $1::bigint) AS n
JOIN (SELECT id, runtime_id, row_number() OVER (ORDER BY id) - 1 AS place FROM agent) AS a ON a.place = n % 32

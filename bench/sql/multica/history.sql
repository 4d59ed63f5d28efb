-- Inserts $1 finished tasks of the fleet.
INSERT INTO agent_task_queue (agent_id, runtime_id, status, context, result, dispatched_at, started_at, completed_at,
                              created_at, session_id)
SELECT a.id, a.runtime_id, 'completed', '{"n": 1}', '{"ok": true}', m.at, m.at, m.at, m.at, 'session'
FROM generate_series(1, $1::bigint) AS n
CROSS JOIN LATERAL (SELECT now() - n * interval '1 second' AS at) AS m
JOIN (SELECT id, runtime_id, row_number() OVER (ORDER BY id) - 1 AS place FROM agent) AS a ON a.place = n % 32

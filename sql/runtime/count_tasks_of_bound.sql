-- The tasks are counted agent by agent, whatever number of agents the planner expects.
SELECT COALESCE(sum(n.many), 0)::bigint
FROM agent AS a
CROSS JOIN LATERAL (SELECT count(*) AS many FROM agent_task_queue AS t WHERE t.agent_id = a.id) AS n
WHERE a.runtime_id = $1

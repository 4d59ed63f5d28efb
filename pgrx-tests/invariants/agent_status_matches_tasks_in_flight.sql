-- An agent is working if it has a task in flight, and only then.
SELECT a.name, a.status
FROM agent AS a
WHERE (a.status = 'working') <> EXISTS (
    SELECT FROM agent_task_queue AS t WHERE t.agent_id = a.id AND t.status IN ('dispatched', 'running')
);

-- Returns the agents that a merge or a deletion of these runtimes concerns: those that are bound to them, and those that have tasks
-- there.
SELECT a.id FROM agent AS a WHERE a.runtime_id = ANY ($1)
UNION
SELECT t.agent_id FROM agent_task_queue AS t WHERE t.runtime_id = ANY ($1)

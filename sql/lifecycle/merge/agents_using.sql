-- The agents whose rows a merge or a delete of these runtimes touches: those bound to them, and those that left tasks there.
SELECT a.id FROM agent AS a WHERE a.runtime_id = ANY ($1)
UNION
SELECT t.agent_id FROM agent_task_queue AS t WHERE t.runtime_id = ANY ($1)

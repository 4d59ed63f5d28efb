-- Returns a task as it is now, for the row of a transition.
SELECT t.* FROM agent_task_queue AS t WHERE t.id = $1

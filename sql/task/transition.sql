-- Returns a task as it is now, for the row of a transition.
SELECT asked.* FROM agent_task_queue AS asked WHERE asked.id = $1

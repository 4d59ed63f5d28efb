-- Returns a task as it is now, and what a transition did.
SELECT t.*, $2 AS applied, $3 AS retry_task_id, $4 AS first_execution FROM agent_task_queue AS t WHERE t.id = $1

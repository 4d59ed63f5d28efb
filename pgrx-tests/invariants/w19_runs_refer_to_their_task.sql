-- An autopilot run has the id of its task.
SELECT t.id, r.id AS run
FROM agent_task_queue AS t
JOIN autopilot_run AS r ON r.id = t.autopilot_run_id
WHERE r.task_id IS NULL;

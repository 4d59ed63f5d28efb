-- Returns the rows that the end of a task writes besides the task. The issue is returned only if it was not executed before.
SELECT
    asked.agent_id,
    (SELECT i.id FROM issue AS i WHERE i.id = asked.issue_id AND i.first_executed_at IS NULL) AS issue_id,
    asked.chat_session_id,
    asked.autopilot_run_id
FROM agent_task_queue AS asked
WHERE asked.id = $1

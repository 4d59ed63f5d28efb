-- What the end of a task writes beside the task. The issue only while it has not been executed.
SELECT
    asked.agent_id,
    (SELECT i.id FROM issue AS i WHERE i.id = asked.issue_id AND i.first_executed_at IS NULL) AS issue_id,
    asked.chat_session_id,
    asked.autopilot_run_id
FROM agent_task_queue AS asked
WHERE asked.id = $1

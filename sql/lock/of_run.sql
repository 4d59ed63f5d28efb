-- What the end of a task's run writes beside the task. The issue only while it has not been executed.
SELECT
    t.agent_id,
    (SELECT i.id FROM issue AS i WHERE i.id = t.issue_id AND i.first_executed_at IS NULL),
    t.chat_session_id,
    t.autopilot_run_id
FROM agent_task_queue AS t
WHERE t.id = $1

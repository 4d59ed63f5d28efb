-- Returns the rows that the end of a task writes or refers to, besides the task. The issue is returned only if it was not executed
-- before, or if its status is going to be set ($2). The runtime is one to which the chat is going to refer.
SELECT
    asked.agent_id,
    (SELECT i.id FROM issue AS i WHERE i.id = asked.issue_id AND ($2 OR i.first_executed_at IS NULL)) AS issue_id,
    asked.chat_session_id,
    -- feature chat_runtime
    CASE WHEN asked.chat_session_id IS NOT NULL THEN asked.runtime_id END AS runtime_id,
    -- end chat_runtime
    -- without chat_runtime
    --| NULL::uuid AS runtime_id,
    -- end chat_runtime
    asked.autopilot_run_id
FROM agent_task_queue AS asked
WHERE asked.id = $1

-- As start.sql, for a call that holds the agent of the task and the escalations.
UPDATE agent_task_queue AS asked
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    -- feature waiting
    wait_reason = NULL,
    -- end waiting
    status = 'running', started_at = $2
WHERE asked.id = $1
  AND asked.status IN ('dispatched', 'waiting_local_directory')
  AND ($3 IS NULL OR asked.dispatched_at = $3)
RETURNING
    COALESCE(
        (SELECT i.workspace_id FROM issue AS i WHERE i.id = asked.issue_id),
        (SELECT c.workspace_id FROM chat_session AS c WHERE c.id = asked.chat_session_id),
        (
            SELECT p.workspace_id FROM autopilot AS p
            WHERE p.id = (SELECT r.autopilot_id FROM autopilot_run AS r WHERE r.id = asked.autopilot_run_id)
        ),
        (SELECT a.workspace_id FROM agent AS a WHERE a.id = asked.agent_id)
    ) AS workspace_id,
    asked.*

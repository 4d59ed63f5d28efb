-- Writes one row, and the call waits for nothing after it. A task is left to start_with_others.sql if it waits for a directory, or if
-- other tasks are to run unless it starts. $3: the time at which the caller's claim dispatched the task, NULL for any claim.
UPDATE agent_task_queue AS asked
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    status = 'running', started_at = $2
WHERE asked.id = $1
  AND asked.status = 'dispatched'
  AND ($3 IS NULL OR asked.dispatched_at = $3)
  -- feature escalation
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS e
      WHERE e.escalation_for_task_id = asked.id
        -- without escalation_index
        --| AND e.issue_id = asked.issue_id
        -- end escalation_index
        AND e.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
  )
  -- end escalation
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

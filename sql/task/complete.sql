-- Sets a running task to completed. An empty argument keeps the pinned session. $6: the time at which the caller's claim dispatched
-- the task, NULL for any claim.
UPDATE agent_task_queue AS asked
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    -- feature waiting
    wait_reason = NULL,
    -- end waiting
    status = 'completed', completed_at = $2, result = $3,
    session_id = COALESCE(NULLIF($4, ''), asked.session_id),
    work_dir = COALESCE(NULLIF($5, ''), asked.work_dir)
WHERE asked.id = $1
  AND asked.status = 'running'
  AND ($6 IS NULL OR asked.dispatched_at = $6)
RETURNING
    asked.*,
    true AS applied,
    NULL::uuid AS retry_task_id,
    false AS first_execution,
    COALESCE(
        (SELECT i.workspace_id FROM issue AS i WHERE i.id = asked.issue_id),
        (SELECT c.workspace_id FROM chat_session AS c WHERE c.id = asked.chat_session_id),
        (
            SELECT p.workspace_id FROM autopilot AS p
            WHERE p.id = (SELECT r.autopilot_id FROM autopilot_run AS r WHERE r.id = asked.autopilot_run_id)
        ),
        (SELECT a.workspace_id FROM agent AS a WHERE a.id = asked.agent_id)
    ) AS workspace_id

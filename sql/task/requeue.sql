-- $2: the time at which the caller's claim dispatched the task, NULL for any claim.
UPDATE agent_task_queue AS asked
SET
    -- feature lease
    prepare_lease_expires_at = NULL,
    -- end lease
    -- feature delivered
    delivered_comment_ids = '{}',
    -- end delivered
    status = 'queued', dispatched_at = NULL
WHERE asked.id = $1
  AND asked.status = 'dispatched'
  AND asked.started_at IS NULL
  AND ($2 IS NULL OR asked.dispatched_at = $2)
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

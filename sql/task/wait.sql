-- Sets a dispatched task to wait for a directory. $3: the time at which the caller's claim dispatched the task, NULL for any claim. $4:
-- the reason. $5: seconds of the lease, 0 for none.
UPDATE agent_task_queue AS asked
SET
    -- feature lease
    prepare_lease_expires_at = CASE WHEN $5 > 0::double precision THEN $2 + make_interval(secs => $5) END,
    -- end lease
    -- feature waiting
    wait_reason = $4,
    -- end waiting
    status = 'waiting_local_directory'
WHERE asked.id = $1
  AND asked.status = 'dispatched'
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

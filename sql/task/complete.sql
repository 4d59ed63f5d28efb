-- Running to completed, with what the caller has locked for it: the chat remembers where the turn ended, the issue that it
-- was executed, the autopilot run follows to its end. A pinned session survives an empty argument. $6: the moment of the claim in microseconds.
WITH done AS (
    UPDATE agent_task_queue AS t
    SET status = 'completed', completed_at = $2, result = $3,
        session_id = COALESCE(NULLIF($4, ''), t.session_id),
        work_dir = COALESCE(NULLIF($5, ''), t.work_dir)
    WHERE t.id = $1
      AND t.status = 'running'
      AND ($6 IS NULL OR (LEAST(GREATEST(extract(epoch FROM t.dispatched_at), -9000000000000::numeric), 9000000000000::numeric) * 1000000::numeric)::bigint = $6)
    RETURNING t.*
),
pointed AS (
    UPDATE chat_session AS c
    SET session_id = COALESCE(d.session_id, c.session_id), work_dir = COALESCE(d.work_dir, c.work_dir), updated_at = $2
    FROM done AS d
    WHERE c.id = d.chat_session_id
),
executed AS (
    UPDATE issue AS i
    SET first_executed_at = $2
    FROM done AS d
    WHERE i.id = d.issue_id AND i.first_executed_at IS NULL
    RETURNING i.id
),
followed AS (
    UPDATE autopilot_run AS r
    SET status = 'completed', completed_at = $2, result = d.result
    FROM done AS d
    WHERE r.id = d.autopilot_run_id AND r.status IN ('issue_created', 'running')
    RETURNING r.id
)
SELECT
    d.*,
    true AS applied,
    NULL::uuid AS retry_task_id,
    EXISTS (SELECT FROM executed) AS first_execution,
    (SELECT f.id FROM followed AS f) AS followed_run_id,
    COALESCE(
        (SELECT i.workspace_id FROM issue AS i WHERE i.id = d.issue_id),
        (SELECT c.workspace_id FROM chat_session AS c WHERE c.id = d.chat_session_id),
        (SELECT p.workspace_id FROM autopilot AS p WHERE p.id = (SELECT r.autopilot_id FROM autopilot_run AS r WHERE r.id = d.autopilot_run_id)),
        (SELECT a.workspace_id FROM agent AS a WHERE a.id = d.agent_id)
    ) AS workspace_id
FROM done AS d

-- Returns a task in flight as its process claims it. The process has the session, unless the run has given it up.
SELECT
    COALESCE(
        (SELECT i.workspace_id FROM issue AS i WHERE i.id = t.issue_id),
        (SELECT c.workspace_id FROM chat_session AS c WHERE c.id = t.chat_session_id),
        (
            SELECT p.workspace_id FROM autopilot AS p
            WHERE p.id = (SELECT r.autopilot_id FROM autopilot_run AS r WHERE r.id = t.autopilot_run_id)
        ),
        (SELECT a.workspace_id FROM agent AS a WHERE a.id = t.agent_id)
    ) AS workspace_id,
    -- feature retired
    NULLIF(t.session_id, t.retired_session_id) AS prior_session_id,
    -- end retired
    -- without retired
    --| t.session_id AS prior_session_id,
    -- end retired
    t.work_dir AS prior_work_dir,
    t.*
FROM agent_task_queue AS t
WHERE t.id = $1

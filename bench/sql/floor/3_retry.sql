CREATE TEMP TABLE retried ON COMMIT DROP AS
WITH n AS (
    INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, chat_session_id, autopilot_run_id, trigger_comment_id, priority,
                                  context, session_id, work_dir, max_attempts, attempt, parent_task_id, status)
    SELECT f.agent_id, f.runtime_id, f.issue_id, f.chat_session_id, f.autopilot_run_id, f.trigger_comment_id, f.priority,
           f.context, f.session_id, f.work_dir, f.max_attempts, f.attempt + 1, f.id, 'queued'
    FROM failed AS f
    JOIN agent AS a ON a.id = f.agent_id
    WHERE f.attempt < f.max_attempts AND f.autopilot_run_id IS NULL AND a.archived_at IS NULL
      AND (f.issue_id IS NOT NULL OR f.chat_session_id IS NOT NULL)
    ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT * FROM n;
ANALYZE retried

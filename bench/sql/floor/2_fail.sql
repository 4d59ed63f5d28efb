CREATE TEMP TABLE failed ON COMMIT DROP AS
WITH f AS (
    UPDATE agent_task_queue AS t
    SET status = 'failed', completed_at = now(), error = 'runtime went offline', failure_reason = 'runtime_offline'
    FROM agent_runtime AS r
    WHERE r.id = t.runtime_id AND r.status = 'offline' AND t.status IN ('dispatched', 'running')
    RETURNING t.*
)
SELECT * FROM f;
ANALYZE failed

-- Only after the grace of an offline runtime. An ended task has no lease and waits for nothing.
CREATE TEMP TABLE failed ON COMMIT DROP AS
WITH f AS (
    UPDATE agent_task_queue AS t
    SET status = 'failed', completed_at = now(), error = 'runtime went offline', failure_reason = 'runtime_offline',
        prepare_lease_expires_at = NULL, wait_reason = NULL
    FROM agent_runtime AS r
    WHERE r.id = t.runtime_id AND r.status = 'offline' AND r.last_seen_at < now() - interval '3 hours'
      AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
    RETURNING t.*
)
SELECT * FROM f;
ANALYZE failed

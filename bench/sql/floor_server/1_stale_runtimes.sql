-- As for tables of migration 055, with the threshold of a server that can keep heartbeats in Redis.
CREATE TEMP TABLE marked ON COMMIT DROP AS
WITH m AS (
    UPDATE agent_runtime SET status = 'offline', updated_at = now()
    WHERE status = 'online' AND last_seen_at < now() - interval '150 seconds'
    RETURNING id, workspace_id
)
SELECT * FROM m;
ANALYZE marked

-- Temporary tables are analyzed at once, because otherwise the later joins are planned for far fewer rows.
CREATE TEMP TABLE marked ON COMMIT DROP AS
WITH m AS (
    UPDATE agent_runtime SET status = 'offline', updated_at = now()
    WHERE status = 'online' AND last_seen_at < now() - interval '45 seconds'
    RETURNING id, workspace_id
)
SELECT * FROM m;
ANALYZE marked

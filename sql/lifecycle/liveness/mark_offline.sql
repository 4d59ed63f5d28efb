-- Sets runtimes offline that the caller has locked. $3 is the reason that the daemon gives, or NULL.
UPDATE agent_runtime AS r
SET status = 'offline',
    metadata = CASE
        WHEN $3 IS NULL THEN r.metadata
        ELSE r.metadata || pg_catalog.jsonb_build_object('offline_reason'::text, $3)
    END,
    updated_at = $2
WHERE r.id = ANY ($1)
RETURNING r.id AS runtime_id, r.workspace_id

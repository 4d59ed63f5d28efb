-- As upsert.sql, for runtimes that belong to the profiles in $11, in the order of the profiles.
INSERT INTO agent_runtime AS r (
    -- feature custom_name
    custom_name,
    -- end custom_name
    workspace_id, daemon_id, profile_id, name, runtime_mode, provider, status, device_info, metadata, owner_id,
    last_seen_at, created_at, updated_at
)
SELECT
    -- feature custom_name
    (
        SELECT min(o.custom_name)
        FROM agent_runtime AS o
        WHERE o.workspace_id = $1 AND o.daemon_id = $2
        HAVING bool_and(COALESCE(o.custom_name, '') <> '') AND min(o.custom_name) = max(o.custom_name)
    ),
    -- end custom_name
    $1, $2, g.profile_id, g.name, $3, g.provider, g.status, g.device_info, g.metadata, $8, $9, $9, $9
FROM unnest($4, $5, $6, $7, $10, $11) AS g (name, provider, status, device_info, metadata, profile_id)
ORDER BY g.profile_id
ON CONFLICT (workspace_id, daemon_id, profile_id) WHERE profile_id IS NOT NULL DO UPDATE
SET name = EXCLUDED.name,
    runtime_mode = EXCLUDED.runtime_mode,
    provider = EXCLUDED.provider,
    status = EXCLUDED.status,
    device_info = EXCLUDED.device_info,
    metadata = EXCLUDED.metadata,
    owner_id = COALESCE(EXCLUDED.owner_id, r.owner_id),
    last_seen_at = EXCLUDED.last_seen_at,
    updated_at = EXCLUDED.updated_at
RETURNING r.*, (r.xmax = 0) AS inserted, 0::bigint AS merged

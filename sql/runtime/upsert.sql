-- Writes several runtimes of one daemon that belong to no profile, in the order of their providers, so that two registrations of
-- the same daemon lock the rows in the same order. $9 is the moment of the call. A new runtime gets the name that a user has given
-- to all other runtimes of the daemon.
INSERT INTO agent_runtime AS r (
    -- feature custom_name
    custom_name,
    -- end custom_name
    workspace_id, daemon_id, name, runtime_mode, provider, status, device_info, metadata, owner_id,
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
    $1, $2, g.name, $3, g.provider, g.status, g.device_info, g.metadata, $8, $9, $9, $9
FROM unnest($4, $5, $6, $7, $10) AS g (name, provider, status, device_info, metadata)
ORDER BY g.provider
ON CONFLICT (workspace_id, daemon_id, provider)
-- feature profile
WHERE profile_id IS NULL
-- end profile
DO UPDATE
SET name = EXCLUDED.name,
    runtime_mode = EXCLUDED.runtime_mode,
    status = EXCLUDED.status,
    device_info = EXCLUDED.device_info,
    metadata = EXCLUDED.metadata,
    owner_id = COALESCE(EXCLUDED.owner_id, r.owner_id),
    last_seen_at = EXCLUDED.last_seen_at,
    updated_at = EXCLUDED.updated_at
RETURNING r.*, (r.xmax = 0) AS inserted, 0::bigint AS merged

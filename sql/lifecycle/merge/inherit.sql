-- Stores in the runtimes $2 what they lack and the runtimes $1 have, which are merged into them: an owner, a name that a user has
-- set, metadata, and the former daemon ids in $3. If several runtimes are merged into one, the first one that has a value counts.
-- A runtime that nobody has written since it was inserted has no visibility of its own yet: what is private otherwise stays private,
-- because its owner may have decided that.
UPDATE agent_runtime AS r
SET
    -- feature custom_name
    custom_name = COALESCE(NULLIF(r.custom_name, ''), m.custom_name),
    -- end custom_name
    -- feature visibility
    visibility = CASE WHEN r.visibility = 'private' AND r.updated_at = r.created_at THEN m.visibility ELSE r.visibility END,
    -- end visibility
    owner_id = COALESCE(r.owner_id, m.owner_id),
    metadata = CASE WHEN r.metadata = '{}'::jsonb THEN COALESCE(m.metadata, r.metadata) ELSE r.metadata END,
    legacy_daemon_id = COALESCE(r.legacy_daemon_id, m.daemon_id)
FROM (
    SELECT
        -- feature custom_name
        (array_agg(o.custom_name ORDER BY u.at) FILTER (WHERE o.custom_name <> ''))[1] AS custom_name,
        -- end custom_name
        -- feature visibility
        (array_agg(o.visibility ORDER BY u.at))[1] AS visibility,
        -- end visibility
        u.new_id,
        (array_agg(o.owner_id ORDER BY u.at) FILTER (WHERE o.owner_id IS NOT NULL))[1] AS owner_id,
        (array_agg(o.metadata - 'offline_reason'::text ORDER BY u.at) FILTER (WHERE o.metadata <> '{}'::jsonb))[1] AS metadata,
        (array_agg(u.daemon_id ORDER BY u.at))[1] AS daemon_id
    FROM unnest($1, $2, $3) WITH ORDINALITY AS u (old_id, new_id, daemon_id, at)
    JOIN agent_runtime AS o ON o.id = u.old_id
    GROUP BY u.new_id
) AS m
WHERE r.id = m.new_id

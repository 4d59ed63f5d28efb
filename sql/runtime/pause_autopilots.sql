-- Pauses the autopilots $1, and returns the payload of the event about each.
UPDATE autopilot AS p
SET
    -- feature pause
    pause_reason = 'agent_runtime_required',
    -- end pause
    status = 'paused', updated_at = $2
WHERE p.id = ANY ($1) AND p.status = 'active'
RETURNING p.workspace_id, pg_catalog.jsonb_build_object('autopilot', pg_catalog.to_jsonb(p))::text AS payload

UPDATE autopilot AS p
SET
    -- feature pause
    pause_reason = 'agent_runtime_required',
    -- end pause
    status = 'paused', updated_at = $2
WHERE p.id = ANY ($1) AND p.status = 'active'

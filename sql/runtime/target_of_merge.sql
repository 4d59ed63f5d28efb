-- Returns the daemon id of the runtime $1 if old runtimes of the workspace $2 and the provider $3 can be merged into it.
SELECT r.daemon_id
FROM agent_runtime AS r
WHERE r.id = $1
    AND r.workspace_id = $2
    -- feature profile
    AND r.profile_id IS NULL
    -- end profile
    AND r.provider = $3

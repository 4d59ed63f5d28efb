-- Returns the runtimes of a daemon that belong to the profiles in $3.
SELECT r.id FROM agent_runtime AS r WHERE r.workspace_id = $1 AND r.daemon_id = $2 AND r.profile_id = ANY ($3)

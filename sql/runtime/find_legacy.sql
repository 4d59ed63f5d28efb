-- Case is ignored: a machine's host name has been seen to change case between two starts.
SELECT r.*
FROM agent_runtime AS r
WHERE r.workspace_id = $1 AND r.provider = $2 AND lower(r.daemon_id) = lower($3)
ORDER BY r.created_at, r.id

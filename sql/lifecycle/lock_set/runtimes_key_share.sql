-- Locks the runtimes $1, and the runtimes of the agents $2, because a retry is queued there. The caller has locked the agents.
SELECT r.id
FROM agent_runtime AS r
WHERE r.id = ANY (ARRAY(
    SELECT u.id FROM pg_catalog.unnest($1) AS u (id)
    UNION ALL
    SELECT a.runtime_id FROM agent AS a WHERE a.id = ANY ($2)
))
ORDER BY r.id
FOR KEY SHARE

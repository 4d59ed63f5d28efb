-- Case is ignored: host names change case between two starts. That of ASCII letters alone, and under no locale: in Turkish the
-- lower case of I is another letter than i.
SELECT r.*
FROM agent_runtime AS r
WHERE r.workspace_id = $1 AND r.provider = $2 AND lower(r.daemon_id COLLATE "C") = lower($3 COLLATE "C")
ORDER BY r.created_at, r.id

-- Case is ignored, because host names may change case between two starts. Only the case of ASCII letters is ignored, independently
-- of a locale, because in Turkish the lower case of I is a letter other than i.
SELECT r.*
FROM agent_runtime AS r
WHERE r.workspace_id = $1 AND r.provider = $2 AND lower(r.daemon_id COLLATE "C") = lower($3 COLLATE "C")
ORDER BY r.created_at, r.id

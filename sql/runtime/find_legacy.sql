-- Case is ignored, because host names may change case between two starts. Only the case of ASCII letters is ignored, independently
-- of a locale, because in Turkish the lower case of I is a letter other than i. A runtime of a profile is not replaced by a runtime
-- of the machine.
SELECT r.*
FROM agent_runtime AS r
WHERE r.workspace_id = $1
    -- feature profile
    AND r.profile_id IS NULL
    -- end profile
    AND r.provider = $2
    AND lower(r.daemon_id COLLATE "C") = lower($3 COLLATE "C")
ORDER BY r.created_at, r.id

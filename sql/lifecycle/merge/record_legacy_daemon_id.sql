-- Stores an earlier daemon id in each runtime that has none yet, the first one if several are passed for a runtime.
UPDATE agent_runtime AS r SET legacy_daemon_id = m.daemon_id
FROM (
    SELECT DISTINCT ON (u.id) u.id, u.daemon_id
    FROM unnest($1, $2) WITH ORDINALITY AS u (id, daemon_id, at)
    ORDER BY u.id, u.at
) AS m
WHERE r.id = m.id AND r.legacy_daemon_id IS NULL

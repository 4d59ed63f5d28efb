SELECT r.*, g.inserted, g.merged, g.not_merged
FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS g (id, inserted, merged, not_merged, at)
JOIN agent_runtime AS r ON r.id = g.id
ORDER BY g.at

SELECT r.*, g.inserted, g.merged
FROM unnest($1, $2, $3) WITH ORDINALITY AS g (id, inserted, merged, at)
JOIN agent_runtime AS r ON r.id = g.id
ORDER BY g.at

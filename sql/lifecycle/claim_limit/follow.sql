-- Gives each runtime in $2 the limit of the runtime at the same place in $1, unless it has one. The limits in $1 stay, because claims of
-- other sessions may hold them.
-- feature claim_limit
INSERT INTO multica_claim_limit (scope, key, max_in_flight)
SELECT l.scope, g.new_id::text, l.max_in_flight
FROM unnest($1, $2) AS g (old_id, new_id)
JOIN multica_claim_limit AS l ON l.scope = 'runtime' AND l.key = g.old_id::text
ORDER BY l.max_in_flight
ON CONFLICT (scope, key) DO NOTHING
-- end claim_limit
-- without claim_limit
--| SELECT NULL::text WHERE false
-- end claim_limit

-- As hold.sql, without waiting: limits that other sessions hold are left out.
-- feature claim_limit
SELECT l.scope, l.key
FROM unnest($1, $2) AS g (scope, key)
JOIN multica_claim_limit AS l ON l.scope = g.scope AND l.key = g.key
ORDER BY l.scope, l.key
FOR NO KEY UPDATE OF l SKIP LOCKED
-- end claim_limit
-- without claim_limit
--| SELECT NULL::text AS scope, NULL::text AS key WHERE false
-- end claim_limit

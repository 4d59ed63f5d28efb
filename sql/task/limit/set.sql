-- Sets a limit, and returns a row if it has changed.
INSERT INTO multica_claim_limit AS l (scope, key, max_in_flight)
VALUES ($1, $2, $3)
ON CONFLICT (scope, key) DO UPDATE
SET max_in_flight = EXCLUDED.max_in_flight
WHERE l.max_in_flight <> EXCLUDED.max_in_flight
RETURNING true

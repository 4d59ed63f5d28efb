DELETE FROM multica_claim_limit AS l WHERE l.scope = $1 AND l.key = $2 RETURNING true

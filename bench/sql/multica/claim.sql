SELECT id, claim_token FROM multica_claim(:worker, 1)

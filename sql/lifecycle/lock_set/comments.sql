SELECT c.id FROM comment AS c WHERE c.id = ANY ($1) ORDER BY c.id FOR KEY SHARE

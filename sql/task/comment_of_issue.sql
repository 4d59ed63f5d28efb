SELECT c.id FROM comment AS c WHERE c.id = $1 AND c.issue_id = $2

SELECT c.issue_id FROM comment AS c WHERE c.id = $1

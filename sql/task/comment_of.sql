-- A comment of an issue where one is given ($2), else of a workspace ($3).
SELECT c.id FROM comment AS c WHERE c.id = $1 AND CASE WHEN $2 IS NULL THEN c.workspace_id = $3 ELSE c.issue_id = $2 END

-- Returns the comment $1 if it belongs to the issue $2, or, if $2 is NULL, to the workspace $3.
SELECT c.id FROM comment AS c WHERE c.id = $1 AND CASE WHEN $2 IS NULL THEN c.workspace_id = $3 ELSE c.issue_id = $2 END

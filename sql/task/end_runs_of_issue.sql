-- Ends those of the autopilot runs $1 that are for an issue and have not ended, because of the category of the issue's new status.
UPDATE autopilot_run AS r
SET
    status = CASE WHEN $3 IN ('done', 'in_review') THEN 'completed' ELSE 'failed' END,
    completed_at = $2,
    failure_reason = CASE WHEN $3 IN ('blocked', 'cancelled') THEN 'issue ' || $3 END
WHERE r.id = ANY ($1)
  AND r.issue_id = $4
  AND r.status IN ('issue_created', 'running')
  AND $3 IN ('done', 'in_review', 'blocked', 'cancelled')
RETURNING r.id

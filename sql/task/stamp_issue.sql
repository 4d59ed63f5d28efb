-- Records only the first execution.
UPDATE issue AS i
SET first_executed_at = $2
WHERE i.id = $1 AND i.first_executed_at IS NULL

-- Sets the status of the issue $1 to $2, and returns the status that it had; no row if it has this status. The caller holds the issue.
UPDATE issue AS i
SET
    -- feature revision
    revision = i.revision + 1,
    -- end revision
    -- feature activity
    last_activity_at = GREATEST(COALESCE(i.last_activity_at, i.updated_at), $3),
    -- end activity
    status = $2, updated_at = $3
FROM issue AS b
WHERE i.id = $1 AND b.id = i.id AND i.status = b.status AND b.status <> $2
RETURNING b.status AS prev_status

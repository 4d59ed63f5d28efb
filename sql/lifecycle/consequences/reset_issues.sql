-- Resets only those of the issues $1 whose status is still in the category in_progress, so that a status that a user has set in the
-- meantime stays. A status that is not built in has the category of its row in issue_status, archived rows included. A task with a
-- status that this version does not know counts as active, and so does a deferred retry.
UPDATE issue AS i
SET
    -- feature revision
    revision = i.revision + 1,
    -- end revision
    -- feature activity
    last_activity_at = GREATEST(COALESCE(i.last_activity_at, i.updated_at), $2),
    -- end activity
    status = 'todo', updated_at = $2
FROM issue AS b
WHERE i.id = ANY ($1)
  AND b.id = i.id
  AND i.status = b.status
  AND (
      b.status = 'in_progress'
      -- feature open_status
      OR EXISTS (
          SELECT FROM issue_status AS s
          WHERE s.workspace_id = b.workspace_id
            AND s.key = b.status
            AND s.key NOT IN ('backlog', 'todo', 'in_progress', 'in_review', 'done', 'blocked', 'cancelled')
            AND s.category = 'in_progress'
      )
      -- end open_status
  )
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.issue_id = i.id AND o.status NOT IN ('completed', 'failed', 'cancelled')
  )
RETURNING i.id, b.status AS prev_status

-- Resets only those of the issues $1 that are still in progress, so that a status that a user has set in the meantime stays. A task
-- with a status that this version does not know counts as active.
UPDATE issue AS i
SET status = 'todo', updated_at = $2
WHERE i.id = ANY ($1)
  AND i.status = 'in_progress'
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.issue_id = i.id AND o.status NOT IN ('completed', 'failed', 'cancelled')
  )
RETURNING i.id

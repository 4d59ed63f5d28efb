-- Returns the active tasks of the issue of a comment that the comment has caused, or that are going to answer it too. $2: only those of
-- these agents.
SELECT t.id
FROM comment AS c
JOIN agent_task_queue AS t ON t.issue_id = c.issue_id
WHERE c.id = $1
  AND ($2 IS NULL OR t.agent_id = ANY ($2))
  AND (
      t.trigger_comment_id = c.id
      -- feature coalesced
      OR c.id = ANY (t.coalesced_comment_ids)
      -- end coalesced
  )
  AND t.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')

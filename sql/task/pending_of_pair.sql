-- Returns the pending task of an issue and agent, and whether it is queued on a runtime other than $3.
SELECT t.id, t.status = 'queued' AND t.runtime_id <> $3
FROM agent_task_queue AS t
WHERE t.issue_id = $1
  AND t.agent_id = $2
  AND (
      t.status IN ('queued', 'dispatched')
      -- feature slot_of_media
      OR (t.status = 'deferred' AND t.context ->> 'channel_issue_media_pending'::text = 'true')
      -- end slot_of_media
  )

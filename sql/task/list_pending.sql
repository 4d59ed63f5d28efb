SELECT t.*
FROM agent_task_queue AS t
WHERE t.runtime_id = $1
  AND (
      t.status IN ('queued', 'dispatched')
      -- feature slot_of_media
      OR (t.status = 'deferred' AND t.context ->> 'channel_issue_media_pending'::text = 'true')
      -- end slot_of_media
  )
ORDER BY t.created_at DESC, t.id DESC

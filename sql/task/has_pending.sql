SELECT EXISTS (
    SELECT FROM agent_task_queue AS t
    WHERE t.issue_id = $1
      AND ($2 IS NULL OR t.agent_id = $2)
      AND (
          t.status IN ('queued', 'dispatched')
          -- feature slot_of_media
          OR (t.status = 'deferred' AND t.context ->> 'channel_issue_media_pending'::text = 'true')
          -- end slot_of_media
      )
)

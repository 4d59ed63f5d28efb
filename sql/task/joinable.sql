-- Returns the tasks of an issue and agent that take the place of a new one with the comment $3, the best first: those that have the
-- comment, then those that it can join, then the claimed one. $4: the time at which the new task would be due, NULL for now, which is
-- $5. A task for now meets the one in the pending slot, and deferred tasks that are due. A deferred task meets those that are due at
-- the same time, and an escalation of the task $7 another escalation of it. A deferred retry is met by none, because newer work
-- supersedes it.
SELECT
    t.id, t.status = 'dispatched' AS is_claimed, h.has_comment,
    (t.status <> 'dispatched' AND t.runtime_id <> $6) IS TRUE AS is_away
FROM agent_task_queue AS t
CROSS JOIN LATERAL (
    SELECT (
        t.trigger_comment_id IS NOT DISTINCT FROM $3
        -- feature coalesced
        OR $3 = ANY (t.coalesced_comment_ids)
        -- end coalesced
    ) IS TRUE AS has_comment
) AS h
WHERE t.issue_id = $1
  AND t.agent_id = $2
  AND (
      (t.status IN ('queued', 'dispatched') AND $4 IS NULL)
      -- feature deferred
      OR (
          t.status = 'deferred'
          AND CASE
              WHEN t.context ->> 'channel_issue_media_pending'::text = 'true' THEN $4 IS NULL
              -- feature escalation
              WHEN $7 IS NOT NULL OR t.escalation_for_task_id IS NOT NULL THEN t.escalation_for_task_id = $7
              -- end escalation
              -- feature provenance
              WHEN t.retry_of_task_id IS NOT NULL THEN false
              -- end provenance
              -- without provenance
              --| WHEN t.parent_task_id IS NOT NULL THEN false
              -- end provenance
              WHEN $4 IS NULL THEN t.fire_at <= $5
              ELSE t.fire_at = $4
          END
      )
      -- end deferred
  )
ORDER BY h.has_comment DESC, t.status = 'dispatched', t.created_at, t.id
LIMIT 1

-- Returns which of the deferred tasks $1 are superseded, and which of the others are to be queued now: those that are due, one of each
-- pair of issue and agent, if no other task has the pending slot of the pair. A task that was to run unless another one started is
-- superseded if that one has started. The caller holds the locks.
-- feature deferred
WITH task AS MATERIALIZED (
    SELECT
        t.id, t.issue_id, t.agent_id, t.priority, t.created_at, t.fire_at,
        (
            -- feature provenance
            t.retry_of_task_id IS NOT NULL
            -- end provenance
            -- without provenance
            --| t.parent_task_id IS NOT NULL
            -- end provenance
            -- feature escalation
            AND t.escalation_for_task_id IS NULL
            -- end escalation
            AND (t.context ->> 'channel_issue_media_pending'::text IS DISTINCT FROM 'true')
            AND EXISTS (
                SELECT FROM agent_task_queue AS o
                WHERE o.issue_id = t.issue_id AND o.agent_id = t.agent_id
                  AND (o.status = 'queued' OR o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred'))
            )
            -- feature escalation
            OR EXISTS (
                SELECT FROM agent_task_queue AS s
                WHERE s.id = t.escalation_for_task_id AND s.started_at IS NOT NULL
            )
            -- end escalation
        ) AS is_superseded
    FROM agent_task_queue AS t
    WHERE t.id = ANY ($1) AND t.status = 'deferred'
)
SELECT t.id, t.is_superseded
FROM task AS t
WHERE t.is_superseded
   OR (t.issue_id IS NULL AND t.fire_at <= $2)
UNION ALL
(
    SELECT DISTINCT ON (t.issue_id, t.agent_id) t.id, false
    FROM task AS t
    WHERE NOT t.is_superseded
      AND t.issue_id IS NOT NULL
      AND t.fire_at <= $2
      AND NOT EXISTS (
          SELECT FROM agent_task_queue AS o
          WHERE o.issue_id = t.issue_id AND o.agent_id = t.agent_id
            AND (
                o.status IN ('queued', 'dispatched')
                OR (
                    o.status = 'deferred'
                    AND o.id <> t.id
                    AND o.context ->> 'channel_issue_media_pending'::text = 'true'
                )
            )
      )
    ORDER BY t.issue_id, t.agent_id, t.priority DESC, t.created_at, t.id
)
-- end deferred
-- without deferred
--| SELECT NULL::uuid AS id, NULL::boolean AS is_superseded WHERE false
-- end deferred

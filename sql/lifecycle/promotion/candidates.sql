-- Returns the deferred tasks that are due or superseded, on runtimes that were seen within $2 seconds: at most $4, without those in
-- $3. $5: the only runtime, NULL for all. The search goes from one runtime that has deferred tasks to the next, so the tasks that
-- wait for a silent runtime are not read. A due task is left out while another task has the pending slot of its issue and agent. A
-- deferred retry is superseded as soon as another task of its issue and agent waits or is in flight.
-- feature deferred
WITH RECURSIVE waiting AS (
    (
        SELECT t.runtime_id
        FROM agent_task_queue AS t
        WHERE t.status = 'deferred' AND t.runtime_id >= COALESCE($5, '00000000-0000-0000-0000-000000000000'::uuid)
        ORDER BY t.runtime_id
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT t.runtime_id
        FROM agent_task_queue AS t
        WHERE t.status = 'deferred' AND t.runtime_id > w.runtime_id
        ORDER BY t.runtime_id
        LIMIT 1
    )
    FROM waiting AS w
    WHERE w.runtime_id IS NOT NULL AND $5 IS NULL
)
SELECT d.id
FROM waiting AS w
CROSS JOIN LATERAL (
    SELECT r.id
    FROM agent_runtime AS r
    WHERE r.id = w.runtime_id
      AND (r.id = $5 OR $5 IS NULL)
      AND r.status = 'online'
      AND r.last_seen_at >= $1 - make_interval(secs => $2)
    OFFSET 0
) AS healthy
CROSS JOIN LATERAL (
    SELECT t.id
    FROM agent_task_queue AS t
    CROSS JOIN LATERAL (
        SELECT
            -- feature provenance
            t.retry_of_task_id IS NOT NULL
            -- end provenance
            -- without provenance
            --| t.parent_task_id IS NOT NULL
            -- end provenance
            -- feature escalation
            AND t.escalation_for_task_id IS NULL
            -- end escalation
            AND (t.context ->> 'channel_issue_media_pending'::text IS DISTINCT FROM 'true') AS can_be_superseded
    ) AS s
    WHERE t.status = 'deferred'
      AND t.runtime_id = healthy.id
      AND t.id <> ALL ($3)
      AND CASE
          WHEN t.issue_id IS NULL THEN t.fire_at <= $1
          WHEN s.can_be_superseded THEN
              t.fire_at <= $1
              OR EXISTS (
                  SELECT FROM agent_task_queue AS o
                  WHERE o.issue_id = t.issue_id AND o.agent_id = t.agent_id
                    AND (
                        o.status = 'queued' OR o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
                    )
              )
          ELSE
              t.fire_at <= $1
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
      END
    ORDER BY t.runtime_id
    LIMIT $4
) AS d
LIMIT $4
-- end deferred
-- without deferred
--| SELECT NULL::uuid AS id WHERE false
-- end deferred

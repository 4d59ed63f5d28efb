-- Returns how many parts a sweep of everything that is due has at most: the number of batches, and the parts that it takes to find
-- a thousand refused rows.
SELECT (
    div(sum(left_over.many), current_setting('multica.batch_size')::numeric)
    + 102::numeric
)::bigint
FROM (
    SELECT count(*)::numeric AS many
    FROM agent_task_queue AS t
    WHERE t.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
    UNION ALL
    SELECT count(*) FROM agent_runtime AS r
    UNION ALL
    -- No event is smaller: more than this are not there. Ids may leap, so they do not tell.
    SELECT div(pg_relation_size('multica_event_log'::regclass)::numeric, 64::numeric)
    UNION ALL
    -- What is re-pointed before a runtime is deleted, runtime by runtime: the history is not read whole.
    SELECT sum(h.many)
    FROM agent_runtime AS r
    CROSS JOIN LATERAL (
        SELECT count(*) AS many FROM agent_task_queue AS t WHERE t.runtime_id = r.id
    ) AS h
    WHERE r.status = 'offline'
      AND r.last_seen_at < clock_timestamp() - current_setting('multica.runtime_ttl')::interval
      AND NOT EXISTS (SELECT FROM agent AS a WHERE a.runtime_id = r.id)
) AS left_over

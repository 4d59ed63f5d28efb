-- The time of the dispatch in microseconds is the claim token; one that is out of a bigint's range, infinity included, is as near
-- as a bigint can be.
SELECT
    t.status,
    (LEAST(GREATEST(extract(epoch FROM t.dispatched_at), -9000000000000::numeric), 9000000000000::numeric) * 1000000::numeric)::bigint
FROM agent_task_queue AS t
WHERE t.id = $1

-- Returns every named reader, slowest first. Ids that no event got are not counted in `behind`.
SELECT r.reader, r.last_id,
    e.drawn - r.last_id - (
        SELECT COALESCE(sum(upper(g) - lower(g)), 0)::bigint
        FROM pg_catalog.unnest(e.lost OPERATOR(pg_catalog.*) int8multirange(int8range(LEAST(r.last_id, e.drawn), e.drawn, '(]'))) AS g
    ) AS behind,
    r.created_at, r.taken_at
FROM multica_event_reader AS r
CROSS JOIN (
    SELECT
        l.last_value - CASE WHEN l.is_called THEN 0 ELSE 1 END AS drawn,
        COALESCE((
            SELECT pg_catalog.to_jsonb(o) ->> 'events_lost'::text FROM multica_sweep_state AS o LIMIT 1
        ), '{}')::int8multirange AS lost
    FROM multica_event_log_id_seq AS l
) AS e
ORDER BY r.last_id, r.reader

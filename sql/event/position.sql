-- Returns, for a position $1, up to which id events were trimmed, and whether the position is one that this log cannot have. It
-- cannot if the position is above the last id, or among the ids that were lost with another server, or if no event is kept between
-- the last trimmed id and the position.
SELECT
    p.trimmed_to,
    $1 > p.trimmed_to AND (
        $1 > p.drawn
        OR $1 OPERATOR(pg_catalog.<@) p.lost
        OR NOT EXISTS (SELECT FROM multica_event_log AS e WHERE e.id > p.trimmed_to AND e.id <= $1)
    ) AS is_lost
FROM (
    SELECT
        COALESCE((s.state ->> 'events_trimmed_to'::text)::bigint, 0::bigint) AS trimmed_to,
        COALESCE((s.state ->> 'events_lost'::text)::int8multirange, '{}') AS lost,
        l.last_value - CASE WHEN l.is_called THEN 0 ELSE 1 END AS drawn
    FROM multica_event_log_id_seq AS l
    LEFT JOIN LATERAL (SELECT pg_catalog.to_jsonb(o) AS state FROM multica_sweep_state AS o LIMIT 1) AS s ON true
    OFFSET 0
) AS p

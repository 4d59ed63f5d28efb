-- What a position $1 is worth: up to where events were trimmed, and whether it is one of events that this log does not have: beyond
-- the last id, among those that went with another server, or after it where nothing up to it is kept that was not trimmed.
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
    LEFT JOIN LATERAL (SELECT to_jsonb(o) AS state FROM multica_sweep_state AS o LIMIT 1) AS s ON true
    OFFSET 0
) AS p

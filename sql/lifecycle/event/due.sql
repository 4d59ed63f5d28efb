-- Locks and returns the oldest events that are due, at most $4. An event that another session holds ends the result; if no event is
-- due, none is locked. Events that a named reader has not taken are kept longer, at most ten times as long. Only the oldest events
-- are deleted, none after $5, the id up to which no open transaction can still commit an event. The search begins after the last
-- trimmed event: before it, the index contains only entries that vacuum has not removed yet, and events that could not be trimmed.
-- These events are tried again after a while; if there are too many of them, a user's trigger or foreign key keeps them all, and
-- trimming waits until then. A table that install has not updated yet has no list of them. An event with a time in the future
-- counts as old as the first later event whose time is not in the future, because the clock was set back between them.
WITH state AS MATERIALIZED (
    SELECT
        s.events_trimmed_to,
        s.refused_until > $1 AND s.refused_until < $1 + interval '6 minutes' AS passes_over,
        ARRAY(
            SELECT r.id::bigint
            FROM pg_catalog.jsonb_array_elements_text(pg_catalog.to_jsonb(s) -> 'refused_event_ids'::text) AS r (id)
        ) AS refused
    FROM multica_sweep_state AS s
),
present AS MATERIALIZED (
    SELECT f.id, f.created_at
    FROM multica_event_log AS f
    WHERE f.id > (SELECT COALESCE(max(s.events_trimmed_to), 0) FROM state AS s)
      AND f.created_at <= $1 + interval '1 minute'
    ORDER BY f.id
    LIMIT 1
),
oldest AS MATERIALIZED (
    SELECT
        e.id,
        e.id <= $5 AND (
            d.created_at < $1 - make_interval(secs => $3)
            OR (
                d.created_at < $1 - make_interval(secs => $2)
                AND e.id <= (SELECT COALESCE(min(r.last_id), 9223372036854775807) FROM multica_event_reader AS r)
            )
        ) AS is_due
    FROM multica_event_log AS e
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN e.id < (SELECT p.id FROM present AS p) THEN (SELECT p.created_at FROM present AS p)
            ELSE e.created_at
        END AS created_at
    ) AS d
    WHERE e.id > (SELECT COALESCE(max(s.events_trimmed_to), 0) FROM state AS s)
      AND e.id <> ALL (ARRAY(SELECT pg_catalog.unnest(s.refused) FROM state AS s))
      AND NOT EXISTS (SELECT FROM state AS s WHERE s.passes_over AND pg_catalog.cardinality(s.refused) >= 100)
    ORDER BY e.id
    LIMIT $4
),
candidate AS MATERIALIZED (
    SELECT o.id
    FROM oldest AS o
    WHERE o.id < (SELECT COALESCE(min(k.id), 9223372036854775807) FROM oldest AS k WHERE NOT k.is_due)
),
free AS MATERIALIZED (
    SELECT e.id
    FROM multica_event_log AS e
    WHERE e.id = ANY (ARRAY(SELECT c.id FROM candidate AS c))
    FOR UPDATE SKIP LOCKED
),
again AS MATERIALIZED (
    SELECT e.id
    FROM multica_event_log AS e
    WHERE e.id = ANY (ARRAY(SELECT pg_catalog.unnest(s.refused) FROM state AS s WHERE s.passes_over IS NOT TRUE))
    FOR UPDATE SKIP LOCKED
)
SELECT u.id, u.is_again
FROM (
    SELECT a.id, true AS is_again FROM again AS a
    UNION ALL
    SELECT c.id, false
    FROM candidate AS c
    WHERE c.id < (
        SELECT COALESCE(min(x.id), 9223372036854775807)
        FROM candidate AS x
        LEFT JOIN free AS f ON f.id = x.id
        WHERE f.id IS NULL
    )
) AS u
ORDER BY u.id

-- The oldest events first, at most $4, and only while nobody else trims; where nothing is due nothing is locked, and an
-- event that somebody holds ends the pass. Kept longer where a named reader has not taken them, at most ten times as long.
-- Only a prefix goes, none beyond $5, below which no open transaction can still commit an event; and how far it went is
-- remembered in the same statement, so that no reader meets a gap unawares and the next pass begins there: before it the
-- index holds nothing but what vacuum has not removed yet. Events of the future are as old as the first one after them that
-- is not: the clock was set back between them.
WITH oldest AS MATERIALIZED (
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
    LEFT JOIN (
        SELECT f.id, f.created_at
        FROM multica_event_log AS f
        WHERE f.id > (SELECT COALESCE(max(s.events_trimmed_to), 0) FROM multica_sweep_state AS s)
          AND f.created_at <= $1 + interval '1 minute'
        ORDER BY f.id
        LIMIT 1
    ) AS present ON true
    CROSS JOIN LATERAL (
        SELECT CASE WHEN e.id < present.id THEN present.created_at ELSE e.created_at END AS created_at
    ) AS d
    WHERE e.id > (SELECT COALESCE(max(s.events_trimmed_to), 0) FROM multica_sweep_state AS s)
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
due AS MATERIALIZED (
    SELECT c.id
    FROM candidate AS c
    WHERE c.id < (
        SELECT COALESCE(min(x.id), 9223372036854775807)
        FROM candidate AS x
        LEFT JOIN free AS f ON f.id = x.id
        WHERE f.id IS NULL
    )
),
state AS MATERIALIZED (
    SELECT s.only_row FROM multica_sweep_state AS s WHERE EXISTS (SELECT FROM due) FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM multica_event_log AS e
    WHERE e.id = ANY (ARRAY(SELECT d.id FROM due AS d)) AND EXISTS (SELECT FROM state)
    RETURNING e.id
)
UPDATE multica_sweep_state AS s
SET events_trimmed_to = g.last_id
FROM (SELECT max(x.id) AS last_id, count(*) AS many FROM gone AS x) AS g
WHERE g.last_id IS NOT NULL
RETURNING g.many

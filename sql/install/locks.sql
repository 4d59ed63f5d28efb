-- Returns two statements per table: one that keeps other sessions from altering or vacuuming it, for which it waits, and one that locks
-- it in its mode or fails at once. The tables $2 of schema $1 come in their order, with their modes $3.
SELECT
    format('LOCK TABLE %I.%I IN SHARE UPDATE EXCLUSIVE MODE', $1, t.name) AS reserve,
    format('LOCK TABLE %I.%I IN %s MODE NOWAIT', $1, t.name, t.mode) AS take
FROM unnest($2, $3) WITH ORDINALITY AS t (name, mode, place)
ORDER BY t.place

-- Returns the statements that lock the tables $2 of schema $1 in the modes $3, in this order, or fail at once.
SELECT format('LOCK TABLE %I.%I IN %s MODE NOWAIT', $1, t.name, t.mode)
FROM unnest($2, $3) WITH ORDINALITY AS t (name, mode, place)
ORDER BY t.place

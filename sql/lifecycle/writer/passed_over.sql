-- Returns the rows that could not be written and are skipped until they are due again. If that time is further away than possible,
-- the clock was set back, and the rows are due at once.
SELECT s.refused_ids
FROM multica_sweep_state AS s
WHERE s.refused_until > $1 AND s.refused_until < $1 + interval '6 minutes'

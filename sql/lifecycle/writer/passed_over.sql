-- Rows that could not be written, which are skipped until they are due again. A time that is further away than possible ends at
-- once: the clock was set back.
SELECT s.refused_ids
FROM multica_sweep_state AS s
WHERE s.refused_until > $1 AND s.refused_until < $1 + interval '6 minutes'

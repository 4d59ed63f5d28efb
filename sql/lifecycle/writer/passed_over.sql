-- Rows that could not be written a moment ago, passed over until they are due again. A while that is longer than any ends at
-- once: the clock was set back meanwhile.
SELECT s.refused_ids
FROM multica_sweep_state AS s
WHERE s.refused_until > $1 AND s.refused_until < $1 + interval '6 minutes'

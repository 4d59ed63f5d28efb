-- Rows that could not be written a moment ago, passed over until they are due again.
SELECT s.refused_ids FROM multica_sweep_state AS s WHERE s.refused_until > $1

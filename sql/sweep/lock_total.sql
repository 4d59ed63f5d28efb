-- Locks one row of totals without waiting. Returns no row while other sessions hold all rows.
SELECT t.slot FROM multica_sweep_total AS t ORDER BY t.slot LIMIT 1 FOR UPDATE SKIP LOCKED

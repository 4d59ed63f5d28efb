-- Never waited for: no row while other sessions hold all of them.
SELECT t.slot FROM multica_sweep_total AS t ORDER BY t.slot LIMIT 1 FOR UPDATE SKIP LOCKED

-- Never waited for: no row while every one is held by others.
SELECT t.slot FROM multica_sweep_total AS t ORDER BY t.slot LIMIT 1 FOR UPDATE SKIP LOCKED

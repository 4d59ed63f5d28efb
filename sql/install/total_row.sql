INSERT INTO multica_sweep_total (sweeps)
SELECT 0
WHERE NOT EXISTS (SELECT FROM multica_sweep_total)

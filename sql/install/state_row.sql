INSERT INTO multica_sweep_state (only_row)
SELECT true
WHERE NOT EXISTS (SELECT FROM multica_sweep_state)
ON CONFLICT DO NOTHING

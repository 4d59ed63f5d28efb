-- Stores that the runtimes $1 are there again since $2. The caller holds them.
INSERT INTO multica_runtime_return AS b (runtime_id, returned_at)
SELECT g.id, $2
FROM pg_catalog.unnest($1) AS g (id)
ORDER BY g.id
ON CONFLICT (runtime_id) DO UPDATE SET returned_at = EXCLUDED.returned_at

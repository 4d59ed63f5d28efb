-- Locks and returns the rows of runtimes that do not exist: at most $1, without those in $2. A runtime is inserted before its row, in
-- one transaction, so no row is visible before its runtime.
SELECT b.runtime_id
FROM multica_runtime_return AS b
WHERE b.runtime_id <> ALL ($2) AND (SELECT true FROM agent_runtime AS r WHERE r.id = b.runtime_id) IS NULL
ORDER BY b.runtime_id
LIMIT $1
FOR UPDATE OF b SKIP LOCKED

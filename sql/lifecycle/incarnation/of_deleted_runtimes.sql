-- Locks and returns the records of runtimes that do not exist: at most $1, without those in $2. A registration inserts a runtime and
-- its record in one transaction, so no record is visible before its runtime.
SELECT i.runtime_id
FROM multica_runtime_incarnation AS i
WHERE i.runtime_id <> ALL ($2) AND (SELECT true FROM agent_runtime AS r WHERE r.id = i.runtime_id) IS NULL
ORDER BY i.runtime_id
LIMIT $1
FOR UPDATE OF i SKIP LOCKED

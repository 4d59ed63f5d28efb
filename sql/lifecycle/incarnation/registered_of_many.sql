-- Returns one of the runtimes $1 that a process with another incarnation than $2 has registered, with its incarnation; no row if there
-- is none.
SELECT i.runtime_id, i.incarnation
FROM multica_runtime_incarnation AS i
WHERE i.runtime_id = ANY ($1) AND i.incarnation <> $2
LIMIT 1

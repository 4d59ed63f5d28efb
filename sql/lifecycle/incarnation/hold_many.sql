-- Locks and returns the incarnations of the processes that have registered the runtimes $1, as hold.sql does for one.
SELECT i.runtime_id, i.incarnation
FROM multica_runtime_incarnation AS i
WHERE i.runtime_id = ANY ($1)
ORDER BY i.runtime_id
FOR SHARE

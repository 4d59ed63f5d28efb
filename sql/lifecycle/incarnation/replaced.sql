-- Returns one of the runtimes in $1 for which a later registration replaced the incarnation $2; no row if there is none.
SELECT i.runtime_id
FROM multica_runtime_incarnation AS i
WHERE i.runtime_id = ANY ($1) AND $2 = ANY (i.replaced)
LIMIT 1

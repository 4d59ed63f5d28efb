-- Stores the incarnation $2 for the runtimes in $1, whose rows the caller has locked, and returns the runtimes for which it replaced
-- another one, with that one. At most $4 replaced incarnations are kept. A merge has just added this incarnation to them if the
-- process had registered the runtime that was merged.
INSERT INTO multica_runtime_incarnation AS i (runtime_id, incarnation, registered_at)
SELECT g.id, $2, $3
FROM unnest($1) AS g (id)
ORDER BY g.id
ON CONFLICT (runtime_id) DO UPDATE
SET incarnation = EXCLUDED.incarnation,
    registered_at = EXCLUDED.registered_at,
    replaced = (pg_catalog.array_prepend(i.incarnation, pg_catalog.array_remove(i.replaced, EXCLUDED.incarnation)))[1:$4]
WHERE i.incarnation <> EXCLUDED.incarnation
RETURNING i.runtime_id, i.replaced[1] AS replaced

-- Gives the runtimes $2 what is recorded about the processes of the runtimes $1, which are merged into them. The caller has locked the
-- runtimes and the records. The processes of a merged runtime count as replaced by the process that has registered the other runtime.
-- If none has, the last process of the merged runtimes stays the registered one. At most $3 replaced incarnations are kept.
INSERT INTO multica_runtime_incarnation AS i (runtime_id, incarnation, registered_at, replaced)
SELECT m.runtime_id, m.incarnations[1], m.registered_at, m.incarnations[2:$3 + 1]
FROM (
    SELECT
        d.new_id AS runtime_id,
        max(d.registered_at) AS registered_at,
        pg_catalog.array_agg(d.incarnation ORDER BY d.at, d.registered_at DESC) AS incarnations
    FROM (
        SELECT DISTINCT ON (u.new_id, p.incarnation) u.new_id, p.incarnation, p.at, o.registered_at
        FROM unnest($1, $2) AS u (old_id, new_id)
        JOIN multica_runtime_incarnation AS o ON o.runtime_id = u.old_id
        CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.array_prepend(o.incarnation, o.replaced))
            WITH ORDINALITY AS p (incarnation, at)
        ORDER BY u.new_id, p.incarnation, p.at, o.registered_at DESC
    ) AS d
    GROUP BY d.new_id
) AS m
ORDER BY m.runtime_id
ON CONFLICT (runtime_id) DO UPDATE
SET replaced = ARRAY(
    SELECT p.incarnation
    FROM pg_catalog.unnest(
        pg_catalog.array_prepend(EXCLUDED.incarnation, pg_catalog.array_cat(i.replaced, EXCLUDED.replaced))
    ) WITH ORDINALITY AS p (incarnation, at)
    WHERE p.incarnation <> i.incarnation
    GROUP BY p.incarnation
    ORDER BY min(p.at)
    LIMIT $3
)

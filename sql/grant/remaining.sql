-- Returns the privileges of role $1 on the functions in $2, and on the tables $3 in the schema of the extension, that another role
-- than the owner granted. NULL as $2 means all functions.
SELECT string_agg(format('%s on %s, granted by %s', r.privilege, r.object, r.grantor::regrole), '; ' ORDER BY r.object, r.privilege)
FROM (
    SELECT a.privilege_type AS privilege, p.proname::text AS object, a.grantor
    FROM pg_extension AS e
    JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
    JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    CROSS JOIN LATERAL aclexplode(p.proacl) AS a
    WHERE e.extname = 'multica'
        AND ($2 IS NULL OR p.proname::text = ANY ($2))
        AND a.grantee = $1
        AND a.grantor <> p.proowner
    UNION
    SELECT a.privilege_type, c.relname::text, a.grantor
    FROM pg_extension AS e
    JOIN pg_class AS c ON c.relnamespace = e.extnamespace
    LEFT JOIN pg_attribute AS k ON k.attrelid = c.oid
    CROSS JOIN LATERAL (
        SELECT x.privilege_type, x.grantee, x.grantor FROM aclexplode(c.relacl) AS x
        UNION ALL
        SELECT x.privilege_type, x.grantee, x.grantor FROM aclexplode(k.attacl) AS x
    ) AS a
    WHERE e.extname = 'multica'
        AND c.relname::text = ANY ($3)
        AND a.grantee = $1
        AND a.grantor <> c.relowner
) AS r

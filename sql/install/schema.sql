-- The schema that the extension is installed in, and what the caller may do there.
SELECT n.oid, n.nspname::text, current_user::text,
    has_database_privilege(current_database(), 'TEMPORARY'),
    -- The pseudo-role public is asked for by reading the ACL: has_schema_privilege knows roles only.
    EXISTS (
        SELECT FROM aclexplode(n.nspacl) AS a
        WHERE a.grantee = 0::oid AND a.privilege_type = 'CREATE'
    ),
    e.oid
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'multica'

-- The schema that the extension is installed in, what the caller may do there, and whether it is still the one that the
-- functions are pinned to: renaming a schema leaves the old name in them.
-- The pseudo-role public is asked for by reading the ACL: has_schema_privilege knows roles only.
SELECT n.oid, n.nspname::text, current_user::text,
    has_database_privilege(current_database(), 'TEMPORARY'),
    EXISTS (
        SELECT FROM aclexplode(n.nspacl) AS a
        WHERE a.grantee = 0::oid AND a.privilege_type = 'CREATE'
    ),
    e.oid,
    current_schema() IS DISTINCT FROM n.nspname,
    quote_ident(n.nspname)
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'multica'

-- The schema that the extension is installed in, what the caller may do there, and whether it is still the one that the
-- functions are pinned to: renaming a schema leaves the old name in them.
-- The pseudo-role public is asked for by reading the ACL: has_schema_privilege knows roles only.
SELECT n.oid AS schema_oid, n.nspname::text AS schema, current_user::text AS caller,
    has_database_privilege(current_database(), 'TEMPORARY') AS may_create_temporary,
    EXISTS (
        SELECT FROM aclexplode(n.nspacl) AS a
        WHERE a.grantee = 0::oid AND a.privilege_type = 'CREATE'
    ) AS open_to_all,
    e.oid AS extension_oid,
    (current_schema() IS DISTINCT FROM n.nspname) AS is_renamed,
    quote_ident(n.nspname) AS quoted_schema
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'multica'

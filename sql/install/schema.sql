-- Returns the schema that the extension is installed in, what the caller may do there, and whether the schema was renamed: the
-- functions are pinned to its old name, which a renaming does not change. Whether every role may create objects there is read from
-- the ACL.
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

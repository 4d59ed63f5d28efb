-- Returns where the extension is, who owns the tables, whether the caller may grant its functions, and whether $1 is a role that
-- may use the schema.
SELECT
    n.oid AS schema_oid,
    e.oid AS extension_oid,
    current_user::text AS caller,
    pg_get_userbyid(e.extowner)::text AS owner,
    pg_has_role(e.extowner, 'USAGE') AS may_grant,
    to_regclass(format('%I.multica_sweep_state', n.nspname)) IS NOT NULL AS is_installed,
    (
        SELECT pg_get_userbyid(c.relowner)::text FROM pg_class AS c
        WHERE c.relnamespace = n.oid AND c.relname = 'agent_task_queue'
    ) AS tables_owner,
    $1::regrole::text AS role_name,
    r.oid IS NOT NULL AS is_role,
    CASE WHEN r.oid IS NOT NULL AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE') THEN
        format('GRANT USAGE ON SCHEMA %I TO %s', n.nspname, r.oid::regrole)
    END AS use_schema
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
LEFT JOIN pg_roles AS r ON r.oid = $1
WHERE e.extname = 'multica'

-- Returns the statements that let role $1 use the schema of the extension, and call the functions and procedures that it may not
-- call yet, and whether the caller may run them.
SELECT string_agg(g.statement, E'\n' ORDER BY g.place), bool_and(pg_has_role(g.owner, 'USAGE'))
FROM (
    SELECT
        format(
            'GRANT EXECUTE ON ROUTINE %I.%I(%s) TO %I;',
            n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), $1
        ) AS statement,
        p.oid AS place,
        p.proowner AS owner
    FROM pg_extension AS e
    JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
    JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE e.extname = 'multica' AND NOT has_function_privilege($1, p.oid, 'EXECUTE')
    UNION ALL
    SELECT format('GRANT USAGE ON SCHEMA %I TO %I;', n.nspname, $1), n.oid, n.nspowner
    FROM pg_extension AS e
    JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'multica' AND NOT has_schema_privilege($1, n.oid, 'USAGE')
) AS g

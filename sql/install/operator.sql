-- Returns the statements that grant role $1 the functions and procedures of the extension that it may not call yet, and whether the
-- caller may run them.
SELECT string_agg(
        format(
            'GRANT EXECUTE ON ROUTINE %I.%I(%s) TO %I;',
            n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), $1
        ),
        E'\n' ORDER BY p.oid
    ),
    bool_and(pg_has_role(p.proowner, 'USAGE'))
FROM pg_extension AS e
JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE e.extname = 'multica' AND NOT has_function_privilege($1, p.oid, 'EXECUTE')

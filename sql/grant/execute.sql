-- Returns the statement that allows role $1 to call the functions of the extension whose names are in $2, or that takes this away
-- if $3 is true. NULL as $2 means all functions.
SELECT format(
    CASE WHEN $3 THEN 'REVOKE EXECUTE ON ROUTINE %s FROM %s' ELSE 'GRANT EXECUTE ON ROUTINE %s TO %s' END,
    string_agg(
        format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), ', ' ORDER BY p.oid
    ),
    $1::regrole
)
FROM pg_extension AS e
JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE e.extname = 'multica'
    AND ($2 IS NULL OR p.proname::text = ANY ($2))

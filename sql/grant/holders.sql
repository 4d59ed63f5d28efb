-- Returns which role has which capability. A capability is recognized by a function that the others do not need; operator includes
-- the others. The owner of the functions and the owner of the tables ($1, NULL if there are none) need no capability.
WITH held AS (
    SELECT a.grantee, c.capability
    FROM (VALUES
        ('reader', 'multica_events'),
        ('daemon', 'multica_claim'),
        ('operator', 'multica_install')
    ) AS c (capability, known_by)
    JOIN pg_extension AS e ON e.extname = 'multica'
    JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
    JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid AND p.proname::text = c.known_by
    CROSS JOIN LATERAL aclexplode(p.proacl) AS a
    WHERE a.privilege_type = 'EXECUTE'
        AND a.grantee <> p.proowner
        AND a.grantee <> 0::oid
        AND pg_get_userbyid(a.grantee)::text IS DISTINCT FROM $1
)
SELECT h.grantee AS role_oid, h.capability, h.grantee::regrole::text AS role_name
FROM held AS h
WHERE h.capability = 'operator'
    OR NOT EXISTS (SELECT FROM held AS o WHERE o.grantee = h.grantee AND o.capability = 'operator')
ORDER BY h.grantee, h.capability

-- Returns the statements that give the tables $2 in schema $1, and their trigger functions, to role $3 if it does not own them yet.
SELECT format('ALTER TABLE %I.%I OWNER TO %I', n.nspname, c.relname, $3)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.oid = $1 AND c.relname::text = ANY ($2) AND c.relkind = 'r' AND pg_get_userbyid(c.relowner)::text <> $3
UNION ALL
SELECT format('ALTER FUNCTION %I.%I() OWNER TO %I', n.nspname, p.proname, $3)
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE c.relnamespace = $1 AND n.oid = $1 AND c.relname::text = ANY ($2) AND NOT t.tgisinternal
    AND starts_with(p.proname::text, 'multica_')
    AND pg_get_userbyid(p.proowner)::text <> $3

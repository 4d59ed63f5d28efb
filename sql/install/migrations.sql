-- Whether schema $1 has the server's list of migrations.
SELECT true
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = $1 AND c.relname = 'schema_migrations' AND c.relkind IN ('r', 'p')
    AND a.attname = 'version' AND a.atttypid IN ('text'::regtype, 'varchar'::regtype)

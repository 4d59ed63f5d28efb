-- Returns whether the caller may read and write the list of migrations in schema $1; no row if there is no such list.
SELECT has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = $1 AND c.relname = 'schema_migrations' AND c.relkind IN ('r', 'p')
    AND a.attname = 'version' AND a.atttypid IN ('text'::regtype, 'varchar'::regtype)

-- Returns the relations in schema $1 that have the names of the tables $2.
SELECT
    c.relname::text AS name,
    c.relkind::text AS kind,
    pg_get_userbyid(c.relowner)::text AS owner,
    pg_has_role(c.relowner, 'USAGE') AS is_ours
FROM pg_class AS c
WHERE c.relnamespace = $1 AND c.relname::text = ANY ($2) AND c.relkind NOT IN ('i', 'I', 'S', 'c', 't')
ORDER BY array_position($2, c.relname::text)

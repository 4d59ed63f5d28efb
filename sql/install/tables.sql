-- Relations of schema $1 that are called like the tables in $2.
SELECT c.relname::text, c.relkind::text, pg_get_userbyid(c.relowner)::text, pg_has_role(c.relowner, 'USAGE')
FROM pg_class AS c
WHERE c.relnamespace = $1 AND c.relname::text = ANY ($2) AND c.relkind NOT IN ('i', 'I', 'S', 'c', 't')
ORDER BY array_position($2, c.relname::text)

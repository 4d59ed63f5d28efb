-- Returns the checks of the tables $2 in schema $1 that were never validated, each with the query that finds the rows that violate
-- it.
SELECT format('%s.%s', c.relname, con.conname) AS object,
    format('SELECT * FROM %I.%I WHERE NOT (%s)', n.nspname, c.relname, pg_get_expr(con.conbin, con.conrelid)) AS query
FROM pg_constraint AS con
JOIN pg_class AS c ON c.oid = con.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.oid = $1 AND c.relname::text = ANY ($2) AND con.contype = 'c' AND NOT con.convalidated
ORDER BY array_position($2, c.relname::text), con.conname

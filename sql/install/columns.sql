-- Returns the columns of the tables $2 in schema $1, with the statement that would add each column to its table in schema $3.
SELECT
    c.relname::text AS table_name,
    a.attname::text AS name,
    a.atttypid AS type_oid,
    format_type(a.atttypid, a.atttypmod) AS type_name,
    a.attnotnull AS not_null,
    a.atthasdef OR a.attidentity <> ''::"char" AS has_default,
    format('ALTER TABLE %I.%I ADD COLUMN %I %s', $3, c.relname, a.attname, format_type(a.atttypid, a.atttypmod))
    || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
    || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS add_column,
    format('ALTER TABLE %I.%I ALTER COLUMN %I SET NOT NULL', $3, c.relname, a.attname) AS set_not_null,
    format('ALTER TABLE %I.%I ALTER COLUMN %I DROP NOT NULL', $3, c.relname, a.attname) AS drop_not_null,
    format('ALTER TABLE %I.%I ALTER COLUMN %I SET DEFAULT ', $3, c.relname, a.attname)
    || pg_get_expr(d.adbin, d.adrelid) AS set_default
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0::smallint AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = $1 AND c.relname::text = ANY ($2) AND c.relkind IN ('r', 'p')
ORDER BY array_position($2, c.relname::text), a.attnum

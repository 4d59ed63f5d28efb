-- Returns the columns of the tables $2 in schema $1 that this version does not know and that are NOT NULL without a default,
-- because its inserts do not fill them. $3: the columns that this version knows, as table.column.
SELECT string_agg(format('%I.%I', c.relname, a.attname), ', ' ORDER BY c.relname, a.attnum)
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0::smallint AND NOT a.attisdropped
WHERE c.relnamespace = $1 AND c.relname::text = ANY ($2) AND a.attnotnull AND NOT a.atthasdef
    AND a.attidentity = ''::"char" AND c.relname || '.' || a.attname <> ALL ($3)

-- Columns of the tables $2 in schema $1 that this version does not know ($3 are those it does, as table.column) and that
-- are neither nullable nor filled by a default: rows that it inserts lack them.
SELECT string_agg(format('%I.%I', c.relname, a.attname), ', ' ORDER BY c.relname, a.attnum)
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0::smallint AND NOT a.attisdropped
WHERE c.relnamespace = $1 AND c.relname::text = ANY ($2) AND a.attnotnull AND NOT a.atthasdef
    AND a.attidentity = ''::"char" AND c.relname || '.' || a.attname <> ALL ($3)

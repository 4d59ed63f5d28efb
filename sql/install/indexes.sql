-- Returns the indexes of the tables $2 in schema $1: the properties that decide whether an index can be used instead of another
-- one, and the statements that would create and drop each index in schema $3. ARRAY['a', 'b'], which IN is stored as, and '{a,b}'
-- have the same meaning, so predicates are returned with the latter.
SELECT c.relname::text AS table_name, x.relname::text AS name,
    ARRAY(
        SELECT format('%s %s %s', pg_get_indexdef(i.indexrelid, k.n, false), i.indclass[k.n - 1], i.indoption[k.n - 1])
        FROM generate_series(1, i.indnkeyatts::integer) AS k (n)
        ORDER BY k.n
    ) AS keys,
    regexp_replace(
        regexp_replace(
            coalesce(pg_get_expr(i.indpred, i.indrelid), ''), 'ARRAY\[''([^]]*)''::text\]', '''{\1}''::text[]', 'g'
        ),
        '''::text, ''', ',', 'g'
    ) AS predicate,
    i.indisunique AS is_unique,
    i.indisvalid AND i.indisready AS is_usable,
    EXISTS (SELECT FROM pg_constraint AS con WHERE con.conindid = i.indexrelid AND con.contype IN ('p', 'u')) AS of_constraint,
    format(
        'CREATE %sINDEX %I ON %I.%I %s',
        CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname, $3, c.relname,
        substring(pg_get_indexdef(i.indexrelid) FROM 'USING .*$')
    ) AS create_index,
    format('DROP INDEX %I.%I', $3, x.relname) AS drop_index
FROM pg_class AS c
JOIN pg_index AS i ON i.indrelid = c.oid
JOIN pg_class AS x ON x.oid = i.indexrelid
JOIN pg_am AS am ON am.oid = x.relam
WHERE c.relnamespace = $1 AND c.relname::text = ANY ($2) AND c.relkind IN ('r', 'p') AND am.amname = 'btree'
ORDER BY array_position($2, c.relname::text), x.relname

-- Returns which of the indexes $1 are missing: no usable index of the table $2 begins with the keys $3 and has the predicate $4. An
-- index of all rows serves where the predicate only leaves out NULL. ARRAY['a', 'b'] and '{a,b}' are the same predicate, and
-- parentheses do not count.
WITH existing AS MATERIALIZED (
    SELECT i.indrelid,
        substring(pg_get_indexdef(i.indexrelid) FROM ' USING btree \((.*?)\)( |$)'::text) || ','::text AS keys,
        regexp_replace(
            regexp_replace(
                translate(COALESCE(pg_get_expr(i.indpred, i.indrelid), ''), '()'::text, ''::text),
                'ARRAY\[''([^]]*)''::text\]'::text, '''{\1}''::text[]'::text, 'g'::text
            ),
            '''::text, '''::text, ','::text, 'g'::text
        ) AS predicate
    FROM pg_index AS i
    WHERE i.indrelid = ANY (ARRAY(SELECT to_regclass(n.name) FROM pg_catalog.unnest($2) AS n (name))::oid[])
      AND i.indisvalid
      AND i.indisready
)
SELECT COALESCE(pg_catalog.array_agg(w.name ORDER BY w.name), '{}')
FROM unnest($1, $2, $3, $4) AS w (name, relation, keys, predicate)
WHERE to_regclass(w.relation) IS NOT NULL
  AND NOT EXISTS (
      SELECT FROM existing AS e
      WHERE e.indrelid = to_regclass(w.relation)::oid
        AND starts_with(e.keys, w.keys || ','::text)
        AND (
            e.predicate = translate(w.predicate, '()'::text, ''::text)
            OR (e.predicate = ''::text AND w.predicate ~ '^\w+ IS NOT NULL( AND \w+ IS NOT NULL)*$'::text)
        )
  )

-- Returns the constraints of the tables $2 in schema $1: a signature, which is equal for constraints with the same meaning,
-- whatever their names are, and the statement that would add each constraint to its table in schema $3. The order of the words in a
-- set does not matter, nor how the set is spelled, nor whether the constraint was validated. A plain unique index enforces the same as
-- a constraint.
WITH tables AS (
    SELECT c.oid, c.relname
    FROM pg_class AS c
    WHERE c.relnamespace = $1 AND c.relname::text = ANY ($2) AND c.relkind IN ('r', 'p')
),
constraints AS (
    SELECT t.relname, con.conname, con.contype, con.convalidated, con.confrelid, con.confdeltype, con.confkey, con.conrelid, con.conkey,
        pg_get_constraintdef(con.oid) AS definition,
        (
            SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname)
            FROM pg_attribute AS a
            WHERE a.attrelid = con.conrelid AND a.attnum = ANY (con.conkey)
        ) AS sorted_columns
    FROM tables AS t
    JOIN pg_constraint AS con ON con.conrelid = t.oid
    WHERE con.contype IN ('p', 'u', 'f', 'c')
)
SELECT k.relname::text AS table_name, k.conname::text AS name,
    CASE k.contype
        WHEN 'f' THEN format(
            'foreign key %s to %s %s on delete %s',
            k.sorted_columns, k.confrelid::regclass, k.confkey, k.confdeltype
        )
        WHEN 'c' THEN format('check %s ', k.sorted_columns) || coalesce(
            (
                SELECT string_agg(word.one, ', ' ORDER BY word.one)
                FROM regexp_matches(k.definition, '''([^'']*)''', 'g') AS literal (found)
                CROSS JOIN LATERAL unnest(string_to_array(btrim(literal.found[1], '{}'), ',')) AS word (one)
            ),
            replace(k.definition, ' NOT VALID', '')
        )
        ELSE format('unique %s', k.sorted_columns)
    END AS signature,
    format('ALTER TABLE %I.%I ADD CONSTRAINT %I ', $3, k.relname, k.conname)
    || regexp_replace(k.definition, 'REFERENCES ', format('REFERENCES %I.', $3)) AS add_constraint,
    format('ALTER TABLE %I.%I DROP CONSTRAINT %I, ADD CONSTRAINT %3$I ', $3, k.relname, k.conname)
    || k.definition AS replace_constraint,
    format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I', $3, k.relname, k.conname) AS validate_constraint,
    k.convalidated AS is_validated,
    (SELECT c.relname::text FROM pg_class AS c WHERE c.oid = k.confrelid) AS refers_to
FROM constraints AS k
UNION ALL
SELECT t.relname::text, i.indexrelid::regclass::text,
    format(
        'unique %s',
        (
            SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname)
            FROM pg_attribute AS a
            WHERE a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts
        )
    ),
    pg_get_indexdef(i.indexrelid), NULL, NULL, true, NULL
FROM tables AS t
JOIN pg_index AS i ON i.indrelid = t.oid
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT EXISTS (SELECT FROM pg_constraint AS con WHERE con.conindid = i.indexrelid AND con.contype IN ('p', 'u'))
ORDER BY 1, 2

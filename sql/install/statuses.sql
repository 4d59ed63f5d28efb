-- Returns the words that each CHECK on the status of table $2 in schema $1 allows, and whether the CHECK was validated.
SELECT ARRAY(
        SELECT word.one
        FROM regexp_matches(pg_get_constraintdef(con.oid), '''([^'']*)''', 'g') AS literal (found)
        CROSS JOIN LATERAL unnest(string_to_array(btrim(literal.found[1], '{}'), ',')) AS word (one)
    ) AS words,
    con.convalidated AS is_validated
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'status'
JOIN pg_constraint AS con ON con.conrelid = c.oid AND con.contype = 'c' AND con.conkey = ARRAY[a.attnum]
WHERE c.relnamespace = $1 AND c.relname::text = $2

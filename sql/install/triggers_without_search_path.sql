-- Returns the trigger functions on the tables $2 in schema $1 that have no search_path of their own, but use that of the session
-- that fires them.
SELECT string_agg(DISTINCT p.oid::regprocedure::text, ', ')
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_language AS l ON l.oid = p.prolang
WHERE c.relnamespace = $1 AND c.relname::text = ANY ($2) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
    AND l.lanname NOT IN ('internal', 'c')
    AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search\_path=%')

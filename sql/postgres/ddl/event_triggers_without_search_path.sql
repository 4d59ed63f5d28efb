-- Returns the functions of event triggers that have no search_path of their own, but use that of the session that fires them.
SELECT string_agg(DISTINCT p.oid::regprocedure::text, ', ')
FROM pg_event_trigger AS t
JOIN pg_proc AS p ON p.oid = t.evtfoid
JOIN pg_language AS l ON l.oid = p.prolang
WHERE t.evtenabled <> 'D'
  AND l.lanname NOT IN ('internal', 'c')
  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search\_path=%')

-- Returns what ALTER DATABASE … SET has set for multica.sweep, one row per database that has the setting. If the name is stored in
-- several spellings, Postgres applies the last one.
SELECT DISTINCT ON (s.setdatabase)
    s.setdatabase,
    pg_catalog.substr(setting.entry, pg_catalog.strpos(setting.entry, '=') + 1)
FROM pg_catalog.pg_db_role_setting AS s
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS setting (entry, place)
WHERE s.setrole = 0
  AND s.setdatabase <> 0
  AND pg_catalog.lower(pg_catalog.split_part(setting.entry, '=', 1) COLLATE "C") = 'multica.sweep'
ORDER BY s.setdatabase, setting.place DESC

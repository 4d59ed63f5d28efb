-- What ALTER DATABASE … SET says about every database that could be swept, one setting a row: a bad one disturbs
-- nobody. A database whose DROP was interrupted has a connection limit of -2.
SELECT d.oid, d.datname::text, setting.said
FROM pg_catalog.pg_database AS d
JOIN pg_catalog.pg_db_role_setting AS s ON s.setdatabase = d.oid AND s.setrole = 0
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS setting (said, place)
WHERE d.datallowconn AND NOT d.datistemplate AND d.datconnlimit <> -2
ORDER BY d.oid, setting.place

-- Allows one worker per database at a time, also if the launcher was restarted while its workers were running.
SELECT pg_catalog.pg_try_advisory_lock(1836411769, 1), pg_catalog.current_database()::text

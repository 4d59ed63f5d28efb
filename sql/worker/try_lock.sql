-- One worker a database at a time, a launcher restarted while its workers live included.
SELECT pg_catalog.pg_try_advisory_lock(1836411769, 1), pg_catalog.current_database()::text

-- Two installs at once would both find a table missing.
SELECT pg_advisory_xact_lock('pg_extension'::regclass::oid::bigint::integer, ($1::bigint % 2147483647)::integer)

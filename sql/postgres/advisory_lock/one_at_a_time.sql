-- Two sessions that install would both find a table missing, and two that change the privileges of one object at once get an
-- internal error. $1 is the extension.
SELECT pg_advisory_xact_lock('pg_extension'::regclass::oid::bigint::integer, ($1::bigint % 2147483647)::integer)

-- Lets only one session install or grant at a time. Otherwise two sessions that install would both find a table missing, and two
-- sessions that change the privileges of one object would get an internal error. $1 is the extension.
SELECT pg_advisory_xact_lock('pg_extension'::regclass::oid::bigint::integer, ($1::bigint % 2147483647)::integer)

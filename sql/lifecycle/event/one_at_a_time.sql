-- If several sessions find that the log must restart, the first session restarts it, and the others see that it was restarted.
SELECT pg_advisory_xact_lock('pg_class'::regclass::oid::bigint::integer, 'multica_event_log'::regclass::oid::bigint::integer)

-- Makes the row of the state if there is no event log. It does not wait, as in lifecycle/event/first_mark.sql.
INSERT INTO multica_sweep_state (only_row)
SELECT true
WHERE pg_try_advisory_xact_lock('pg_class'::regclass::oid::bigint::integer, 'multica_sweep_state'::regclass::oid::bigint::integer)
  AND NOT EXISTS (SELECT FROM multica_sweep_state)
ON CONFLICT DO NOTHING

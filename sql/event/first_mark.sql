-- The row of the state is made at its first use, so that rows that are restored or replicated meet none. Never waited for: while
-- one session makes it the others do without it; and only who has looked at the log (who knows where it is) makes it beside events.
INSERT INTO multica_sweep_state (events_home)
SELECT $1
WHERE pg_try_advisory_xact_lock('pg_class'::regclass::oid::bigint::integer, 'multica_sweep_state'::regclass::oid::bigint::integer)
  AND NOT EXISTS (SELECT FROM multica_sweep_state)
  AND ($1 IS NOT NULL OR NOT EXISTS (SELECT FROM multica_event_log))
ON CONFLICT DO NOTHING

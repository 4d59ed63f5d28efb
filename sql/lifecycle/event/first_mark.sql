-- The row of the state is made at its first use, so that rows that are restored or replicated meet none. Never waited for: while
-- one session makes it the others do without it. Beside events that are older than a first use can be, only who has looked at the
-- log makes it, and knows where it is: $1.
INSERT INTO multica_sweep_state (events_home)
SELECT $1
WHERE pg_try_advisory_xact_lock('pg_class'::regclass::oid::bigint::integer, 'multica_sweep_state'::regclass::oid::bigint::integer)
  AND NOT EXISTS (SELECT FROM multica_sweep_state)
  AND (
      $1 IS NOT NULL
      OR (
          (SELECT e.created_at FROM multica_event_log AS e ORDER BY e.id LIMIT 1) < clock_timestamp() - interval '1 hour'
      ) IS NOT TRUE
  )
ON CONFLICT DO NOTHING

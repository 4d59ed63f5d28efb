-- The row of the state is made at its first use, so that restored or replicated rows do not collide with it. Never waited for:
-- while one session makes it, the others do without it. If there are events older than a first use can be, only a session that
-- has looked at the log makes it, and stores where the log is: $1.
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

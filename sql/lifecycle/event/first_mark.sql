-- Makes the row of the state at its first use, so that restored or replicated rows do not collide with it. It does not wait: while
-- one session makes the row, the other sessions continue without it. If there are events that are older than a first use can be,
-- only a session that has checked the log makes the row, and stores where the log is ($1).
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

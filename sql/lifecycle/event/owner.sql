-- Returns the owner of the event log, if the log and the tables about it are in one schema that is not temporary. Otherwise a
-- session could make the library read, as the owner, tables that the session has put in their place.
SELECT l.relowner
FROM pg_class AS l
WHERE l.oid = to_regclass('multica_event_log')
  AND l.relnamespace <> pg_my_temp_schema()
  AND l.relnamespace = ALL (ARRAY(
      SELECT c.relnamespace
      FROM unnest(ARRAY[
          to_regclass('multica_event_log_id_seq')::oid, to_regclass('multica_event_reader')::oid,
          to_regclass('multica_sweep_state')::oid
      ]) AS o (id)
      LEFT JOIN pg_class AS c ON c.oid = o.id
  ))

-- Whether the table has the column for events that could not be trimmed, which it lacks between an update of the extension and the
-- install after it.
SELECT EXISTS (
    SELECT FROM pg_attribute AS a
    WHERE a.attrelid = to_regclass('multica_sweep_state') AND a.attname = 'refused_event_ids' AND NOT a.attisdropped
)

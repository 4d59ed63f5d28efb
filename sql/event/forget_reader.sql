DELETE FROM multica_event_reader AS r WHERE r.reader = $1

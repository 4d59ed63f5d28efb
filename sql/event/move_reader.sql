UPDATE multica_event_reader AS r SET last_id = $2, taken_at = $3 WHERE r.reader = $1

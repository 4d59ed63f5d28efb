-- Two sessions that use the same reader get their events one after the other.
SELECT r.last_id FROM multica_event_reader AS r WHERE r.reader = $1 FOR NO KEY UPDATE

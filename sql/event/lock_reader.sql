-- Two sessions that take as the same reader are given their events one after the other.
SELECT r.last_id FROM multica_event_reader AS r WHERE r.reader = $1 FOR NO KEY UPDATE

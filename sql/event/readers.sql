-- Every named reader, the slowest first.
SELECT r.reader, r.last_id, e.drawn - r.last_id AS behind, r.created_at, r.taken_at
FROM multica_event_reader AS r
CROSS JOIN (
    SELECT l.last_value - CASE WHEN l.is_called THEN 0 ELSE 1 END AS drawn FROM multica_event_log_id_seq AS l
) AS e
ORDER BY r.last_id, r.reader

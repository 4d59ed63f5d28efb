-- Returns the highest id that a reader may get now. The sequence is read before the locks, because a transaction that takes its
-- lock later draws ids above the sequence's value. Both are read before the statement that reads the events takes its snapshot.
SELECT s.last_value - CASE WHEN s.is_called THEN 0 ELSE 1 END FROM multica_event_log_id_seq AS s

-- Before the first event of a transaction: a shared lock on a number below every id it is going to draw. A reader stops
-- at the smallest such number, so that an id drawn early and committed late is not skipped. 28003 marks our locks among
-- all advisory ones. A savepoint that is rolled back takes it back.
SELECT
    f.id,
    pg_advisory_xact_lock_shared((28003::bigint << 48) | f.id)
FROM (
    SELECT s.last_value - CASE WHEN s.is_called THEN 0 ELSE 1 END AS id FROM multica_event_log_id_seq AS s
) AS f

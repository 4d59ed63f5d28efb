-- Before the first event of a transaction: a shared lock on a number below every id it is going to draw. A reader stops
-- at the smallest such number, so that an id drawn early and committed late is not skipped. Our locks among all advisory ones are
-- those from 28003 × 2^48 on, as many as there are ids: 2^53. A savepoint that is rolled back takes it back.
SELECT
    f.id,
    pg_advisory_xact_lock_shared((28003::bigint << 48) + LEAST(f.id, 9007199254740991::bigint))
FROM (
    SELECT s.last_value - CASE WHEN s.is_called THEN 0 ELSE 1 END AS id FROM multica_event_log_id_seq AS s
) AS f

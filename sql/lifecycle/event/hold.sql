-- Takes a shared advisory lock before the first event of a transaction, on a number below every id that the transaction is going to
-- draw. A reader stops at the smallest such number, so that an id that is drawn early and committed late is not skipped. $1 is the
-- key of the extension's first advisory lock; there is one key for each of the 2^53 ids. A savepoint that is rolled back releases
-- the lock.
SELECT
    f.id,
    pg_advisory_xact_lock_shared($1 + LEAST(f.id, 9007199254740991::bigint))
FROM (
    SELECT s.last_value - CASE WHEN s.is_called THEN 0 ELSE 1 END AS id FROM multica_event_log_id_seq AS s
) AS f

-- Returns the lowest id of an event that an open transaction holds back, and when this transaction began. $1 is the key of the
-- extension's first advisory lock, $2 that of its last one. A prepared transaction has no session, and its virtual id is that of
-- the session that prepared it. Therefore it is identified by the lock on its own transaction id, also after a restart.
SELECT
    (l.classid::bigint << 32 | l.objid::bigint) - $1 AS floor,
    COALESCE(x.xact_start, p.prepared) AS since
FROM pg_locks AS l
LEFT JOIN pg_stat_activity AS x ON x.pid = l.pid
LEFT JOIN pg_locks AS k
    ON l.pid IS NULL AND k.pid IS NULL AND k.locktype = 'transactionid' AND k.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_prepared_xacts AS p ON p.transaction = k.transactionid
WHERE l.locktype = 'advisory'
  AND l.objsubid = 1
  AND (l.classid::bigint << 32 | l.objid::bigint) BETWEEN $1 AND $2
  AND l.database = (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database())
ORDER BY 1
LIMIT 1

-- The smallest number below which an open transaction, prepared ones included, may still commit events.
SELECT min((l.classid::bigint << 32 | l.objid::bigint) - (28003::bigint << 48))
FROM pg_locks AS l
WHERE l.locktype = 'advisory'
  AND l.objsubid = 1
  AND l.classid::bigint >> 16 BETWEEN 28003 AND 28034
  AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())

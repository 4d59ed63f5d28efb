-- Returns the id up to which no open transaction, including prepared ones, can still commit an event; NULL if there is no
-- transaction that has recorded events. $1 is the key of the extension's first advisory lock, $2 that of its last one.
SELECT min((l.classid::bigint << 32 | l.objid::bigint) - $1)
FROM pg_locks AS l
WHERE l.locktype = 'advisory'
  AND l.objsubid = 1
  AND (l.classid::bigint << 32 | l.objid::bigint) BETWEEN $1 AND $2
  AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())

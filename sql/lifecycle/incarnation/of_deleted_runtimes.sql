-- Locks and returns the records of runtimes that do not exist: at most $1, without those in $2. A registration inserts a runtime and
-- its record in one transaction, so no record is visible before its runtime. Runtimes are deleted rarely, and each runtime may have a
-- record, so that an idle sweep would look up every runtime. It reads only sixteen pages of the table, beginning at a random one.
WITH part AS MATERIALIZED (
    SELECT floor(random() * GREATEST(p.pages - 15, 1)::double precision)::bigint AS page
    FROM (
        SELECT pg_relation_size('multica_runtime_incarnation'::regclass) / current_setting('block_size')::bigint AS pages
    ) AS p
)
SELECT i.runtime_id
FROM multica_runtime_incarnation AS i
WHERE i.ctid >= (SELECT ('('::text || p.page || ',0)'::text)::tid FROM part AS p)
  AND i.ctid < (SELECT ('('::text || p.page + 16 || ',0)'::text)::tid FROM part AS p)
  AND i.runtime_id <> ALL ($2)
  AND (SELECT true FROM agent_runtime AS r WHERE r.id = i.runtime_id) IS NULL
LIMIT $1
FOR UPDATE OF i SKIP LOCKED

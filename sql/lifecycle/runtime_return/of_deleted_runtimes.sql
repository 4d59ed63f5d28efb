-- Locks and returns the rows of runtimes that do not exist: at most $1, without those in $2. A runtime is inserted before its row, in
-- one transaction, so no row is visible before its runtime. Runtimes are deleted rarely, and each runtime may have a row, so that an
-- idle sweep would look up every runtime. It reads only sixteen pages of the table, beginning at a random one.
WITH part AS MATERIALIZED (
    SELECT floor(random() * GREATEST(p.pages - 15, 1)::double precision)::bigint AS page
    FROM (
        SELECT pg_relation_size('multica_runtime_return'::regclass) / current_setting('block_size')::bigint AS pages
    ) AS p
)
SELECT b.runtime_id
FROM multica_runtime_return AS b
WHERE b.ctid >= (SELECT ('('::text || p.page || ',0)'::text)::tid FROM part AS p)
  AND b.ctid < (SELECT ('('::text || p.page + 16 || ',0)'::text)::tid FROM part AS p)
  AND b.runtime_id <> ALL ($2)
  AND (SELECT true FROM agent_runtime AS r WHERE r.id = b.runtime_id) IS NULL
LIMIT $1
FOR UPDATE OF b SKIP LOCKED

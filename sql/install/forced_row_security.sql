-- Returns the tables of multica whose row-level security applies to their owner. It matters because the worker sweeps as the owner.
-- $1: the names of the tables.
SELECT string_agg(c.relname, ', ' ORDER BY c.relname)
FROM pg_extension AS e
JOIN pg_class AS c ON c.relnamespace = e.extnamespace
JOIN pg_roles AS o ON o.oid = c.relowner
WHERE e.extname = 'multica'
  AND c.relkind IN ('r', 'p')
  AND c.relrowsecurity
  AND c.relforcerowsecurity
  AND NOT o.rolsuper
  AND NOT o.rolbypassrls
  AND c.relname = ANY ($1)

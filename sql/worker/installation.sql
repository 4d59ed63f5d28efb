-- Returns the schema and the version of the extension, the owner of the tables, and how many owners the tables and their partitions
-- have: triggers run as the role of the worker, so there must be one. $1: the names of the tables. It reads only catalogues.
WITH RECURSIVE extension AS (
    SELECT e.extversion, n.oid, n.nspname
    FROM pg_catalog.pg_extension AS e
    JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'multica'
), tables AS (
    SELECT c.oid, c.relname, c.relowner
    FROM extension
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = extension.oid AND c.relkind IN ('r', 'p')
    WHERE c.relname = ANY ($1)
), family AS (
    SELECT tables.oid FROM tables
    UNION
    SELECT i.inhrelid FROM family JOIN pg_catalog.pg_inherits AS i ON i.inhparent = family.oid
)
SELECT
    extension.extversion AS version,
    extension.nspname::text AS schema,
    (SELECT tables.relowner FROM tables WHERE tables.relname = 'agent_task_queue') AS owner,
    EXISTS (SELECT FROM tables WHERE tables.relname = 'multica_sweep_state') AS is_installed,
    (
        SELECT pg_catalog.count(DISTINCT c.relowner)
        FROM family
        JOIN pg_catalog.pg_class AS c ON c.oid = family.oid
    ) AS owners,
    (
        SELECT pg_catalog.has_schema_privilege(tables.relowner, extension.oid, 'USAGE')
        FROM tables
        WHERE tables.relname = 'agent_task_queue'
    ) AS owner_sees_schema
FROM extension

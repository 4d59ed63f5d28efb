-- Where the extension is, its version, and the owners of the tables, partitions included, because triggers run as the role of the
-- worker.
-- It reads catalogues only.
WITH RECURSIVE extension AS (
    SELECT e.extversion, n.oid, n.nspname
    FROM pg_catalog.pg_extension AS e
    JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'multica'
), tables AS (
    SELECT c.oid, c.relname, c.relowner
    FROM extension
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = extension.oid AND c.relkind IN ('r', 'p')
    WHERE c.relname = ANY (ARRAY[
        'workspace', 'user', 'member', 'agent', 'agent_runtime', 'issue', 'comment', 'chat_session', 'chat_message',
        'autopilot', 'autopilot_run', 'agent_task_queue', 'multica_event_log', 'multica_event_reader',
        'multica_sweep_state', 'multica_sweep_total'
    ]::name[])
), family AS (
    SELECT tables.oid FROM tables
    UNION
    SELECT i.inhrelid FROM family JOIN pg_catalog.pg_inherits AS i ON i.inhparent = family.oid
)
SELECT
    extension.extversion,
    extension.nspname::text,
    (SELECT tables.relowner FROM tables WHERE tables.relname = 'agent_task_queue'),
    EXISTS (SELECT FROM tables WHERE tables.relname = 'multica_sweep_state'),
    (
        SELECT pg_catalog.count(DISTINCT c.relowner)
        FROM family
        JOIN pg_catalog.pg_class AS c ON c.oid = family.oid
    ),
    (
        SELECT pg_catalog.has_schema_privilege(tables.relowner, extension.oid, 'USAGE')
        FROM tables
        WHERE tables.relname = 'agent_task_queue'
    )
FROM extension

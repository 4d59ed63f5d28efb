-- Returns which of the indexes $1 of the task table exist and can be used.
SELECT x.relname::text
FROM pg_catalog.unnest($1) AS n (name)
JOIN pg_class AS x ON x.oid = to_regclass(n.name)::oid
JOIN pg_index AS i ON i.indexrelid = x.oid
WHERE i.indrelid = to_regclass('agent_task_queue')::oid AND i.indisvalid AND i.indisready

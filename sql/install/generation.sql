-- Returns why the tables of schema $1 belong to a generation that this version does not understand. $2: the task statuses that it
-- understands.
SELECT format('column "%s" of table "%s" may be NULL', a.attname, c.relname),
    'On such a server, heartbeats reach the table only occasionally, so a runtime that is alive would look stale.'
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = $1 AND c.relname IN ('agent', 'agent_task_queue')
    AND a.attname = 'runtime_id' AND NOT a.attnotnull
UNION ALL
SELECT format('task status "%s" is unknown to this version', word.found[1]),
    format('Constraint "%s" of table "agent_task_queue" allows it.', con.conname)
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'status'
JOIN pg_constraint AS con ON con.conrelid = c.oid AND con.contype = 'c' AND con.conkey = ARRAY[a.attnum]
CROSS JOIN LATERAL regexp_matches(pg_get_constraintdef(con.oid), '''([^'']*)''', 'g') AS word (found)
WHERE c.relnamespace = $1 AND c.relname = 'agent_task_queue' AND word.found[1] <> ALL ($2)
UNION ALL
SELECT 'runtimes have another key than (workspace_id, daemon_id, provider)',
    format('Table "agent_runtime" has the unique index "%s".', k.name)
FROM (
    SELECT i.indexrelid::regclass AS name, i.indpred IS NOT NULL AS is_partial,
        ARRAY(
            SELECT pg_get_indexdef(i.indexrelid, at.n, false)
            FROM generate_series(1, i.indnkeyatts::integer) AS at (n)
            ORDER BY 1
        ) AS keys
    FROM pg_class AS c
    JOIN pg_index AS i ON i.indrelid = c.oid
    WHERE c.relnamespace = $1 AND c.relname = 'agent_runtime' AND i.indisunique
) AS k
WHERE array_to_string(k.keys, ' ') ~ '\mdaemon_id\M'
    AND (k.is_partial OR k.keys <> ARRAY['daemon_id', 'provider', 'workspace_id'])
UNION ALL
SELECT 'runtimes have no unique key (workspace_id, daemon_id, provider)',
    'Table "agent_runtime" lacks this key, so a daemon that registers twice would get two runtimes.'
FROM pg_class AS c
WHERE c.relnamespace = $1 AND c.relname = 'agent_runtime'
    AND NOT EXISTS (
        SELECT
        FROM pg_index AS i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
            AND ARRAY(
                SELECT pg_get_indexdef(i.indexrelid, at.n, false)
                FROM generate_series(1, i.indnkeyatts::integer) AS at (n)
                ORDER BY 1
            ) @> ARRAY['daemon_id']
    )

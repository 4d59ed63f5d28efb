-- Returns why the unique keys of the runtimes in schema $1 are not those of any generation of the server. Runtimes are unique per
-- workspace, daemon and provider; in newer generations, those with a profile are unique per workspace, daemon and profile instead.
WITH keys AS (
    SELECT c.oid AS runtimes, i.indexrelid::regclass AS name, i.indisvalid AS is_valid,
        ARRAY(
            SELECT pg_get_indexdef(i.indexrelid, at.n, false)
            FROM generate_series(1, i.indnkeyatts::integer) AS at (n)
            ORDER BY 1
        ) AS columns,
        pg_get_expr(i.indpred, i.indrelid) AS predicate
    FROM pg_class AS c
    JOIN pg_index AS i ON i.indrelid = c.oid
    WHERE c.relnamespace = $1 AND c.relname = 'agent_runtime' AND i.indisunique
),
daemon_keys AS (
    SELECT k.name, k.is_valid,
        k.columns = ARRAY['daemon_id', 'provider', 'workspace_id']
        AND coalesce(k.predicate, '(profile_id IS NULL)') = '(profile_id IS NULL)' AS is_of_provider,
        k.columns = ARRAY['daemon_id', 'profile_id', 'workspace_id'] AND k.predicate = '(profile_id IS NOT NULL)' AS is_of_profile
    FROM keys AS k
    WHERE array_to_string(k.columns, ' ') ~ '\mdaemon_id\M'
)
SELECT 'runtimes have another key than (workspace_id, daemon_id, provider)',
    format('Table "agent_runtime" has the unique index "%s".', k.name)
FROM daemon_keys AS k
WHERE (k.is_of_provider OR k.is_of_profile) IS NOT TRUE
UNION ALL
SELECT 'runtimes have no unique key (workspace_id, daemon_id, provider)',
    'Table "agent_runtime" lacks this key, so a daemon that registers twice would get two runtimes.'
FROM pg_class AS c
WHERE c.relnamespace = $1 AND c.relname = 'agent_runtime'
    AND NOT EXISTS (SELECT FROM daemon_keys AS k WHERE k.is_valid AND k.is_of_provider)

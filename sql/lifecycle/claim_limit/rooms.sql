-- Returns the limits that hold for the runtimes $1: how many more tasks each allows in flight, and for which of the runtimes. The tasks
-- in flight of a provider are found among all tasks in flight.
-- feature claim_limit
WITH limited AS MATERIALIZED (
    SELECT
        l.scope, l.key, l.max_in_flight,
        pg_catalog.array_agg(r.id) AS runtimes,
        (pg_catalog.array_agg(r.workspace_id))[1] AS workspace_id
    FROM agent_runtime AS r
    CROSS JOIN LATERAL (
        VALUES ('runtime'::text, r.id::text), ('provider'::text, lower(r.provider)), ('workspace'::text, r.workspace_id::text)
    ) AS k (scope, key)
    JOIN multica_claim_limit AS l ON l.scope = k.scope AND l.key = k.key
    WHERE r.id = ANY ($1)
    GROUP BY l.scope, l.key, l.max_in_flight
)
SELECT
    g.scope, g.key, g.runtimes,
    g.max_in_flight - CASE g.scope
        WHEN 'runtime' THEN (
            SELECT count(*)
            FROM (
                SELECT
                FROM agent_task_queue AS t
                WHERE t.runtime_id = g.runtimes[1] AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
                LIMIT g.max_in_flight
            ) AS f
        )
        WHEN 'workspace' THEN (
            SELECT count(*)
            FROM (
                SELECT
                FROM agent_runtime AS r
                JOIN agent_task_queue AS t ON t.runtime_id = r.id
                WHERE r.workspace_id = g.workspace_id AND t.status IN ('dispatched', 'running', 'waiting_local_directory')
                LIMIT g.max_in_flight
            ) AS f
        )
        ELSE (
            SELECT count(*)
            FROM (
                SELECT
                FROM agent_task_queue AS t
                WHERE t.status IN ('dispatched', 'running', 'waiting_local_directory')
                  AND (SELECT lower(r.provider) FROM agent_runtime AS r WHERE r.id = t.runtime_id) = g.key
                ORDER BY t.dispatched_at, t.id
                LIMIT g.max_in_flight
            ) AS f
        )
    END AS room
FROM limited AS g
-- end claim_limit
-- without claim_limit
--| SELECT NULL::text AS scope, NULL::text AS key, NULL::uuid[] AS runtimes, NULL::bigint AS room WHERE false
-- end claim_limit

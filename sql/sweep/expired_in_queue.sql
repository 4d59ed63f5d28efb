-- Returns queued tasks that could have been claimed for more than $2 seconds and were not: at most $6, without those in $5. $3: the
-- seconds after which a runtime is stale, $4: the grace of an offline runtime. A task counts only if, in all that time, its agent had
-- a place for it and no other task of its issue and agent, of its chat, or without any source was in flight before it. What was in
-- flight at some moment of that time is in flight still, or has ended since, so the sum of both must be below the limit of the
-- agent. A retry of a task that was lost with its runtime waits for the runtime. The runtime is alive and has been online for all
-- that time (a server writes updated_at when it comes online), or it has been silent for longer than the grace. The search goes
-- from one pair of runtime and agent to the next in the index of queued tasks, and skips the tasks of pairs that do not fit; and
-- only if any queued task is that old.
WITH RECURSIVE pair AS (
    (
        SELECT t.runtime_id, t.agent_id
        FROM agent_task_queue AS t
        WHERE t.status = 'queued'
          AND (
              SELECT q.created_at < $1 - make_interval(secs => $2)
              FROM agent_task_queue AS q
              WHERE q.status = 'queued'
              ORDER BY q.created_at
              LIMIT 1
          )
        ORDER BY t.runtime_id, t.agent_id, t.priority DESC, t.created_at, t.id
        LIMIT 1
    )
    UNION ALL
    SELECT n.runtime_id, n.agent_id
    FROM pair AS p
    CROSS JOIN LATERAL (
        SELECT t.runtime_id, t.agent_id
        FROM agent_task_queue AS t
        WHERE t.status = 'queued' AND (t.runtime_id, t.agent_id) > (p.runtime_id, p.agent_id)
        ORDER BY t.runtime_id, t.agent_id, t.priority DESC, t.created_at, t.id
        LIMIT 1
    ) AS n
),
ended AS MATERIALIZED (
    SELECT
        o.agent_id,
        count(*) AS many,
        count(*) FILTER (WHERE o.issue_id IS NULL AND o.chat_session_id IS NULL AND o.autopilot_run_id IS NULL) AS many_bare
    FROM agent_task_queue AS o
    WHERE o.status IN ('completed', 'failed', 'cancelled')
      AND o.completed_at > $1 - make_interval(secs => $2)
      AND o.dispatched_at IS NOT NULL
    GROUP BY o.agent_id
),
busy AS MATERIALIZED (
    SELECT
        p.runtime_id, p.agent_id,
        (
            SELECT count(*)
            FROM agent_task_queue AS o
            WHERE o.agent_id = p.agent_id AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
        ) + COALESCE((SELECT e.many FROM ended AS e WHERE e.agent_id = p.agent_id), 0) AS many,
        (
            SELECT count(*)
            FROM agent_task_queue AS o
            WHERE o.agent_id = p.agent_id AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
              AND o.issue_id IS NULL AND o.chat_session_id IS NULL AND o.autopilot_run_id IS NULL
        ) + COALESCE((SELECT e.many_bare FROM ended AS e WHERE e.agent_id = p.agent_id), 0) AS many_bare
    FROM pair AS p
    WHERE COALESCE((
        SELECT CASE
            WHEN r.status = 'online' AND r.last_seen_at >= $1 - make_interval(secs => $3)
                THEN r.updated_at < $1 - make_interval(secs => $2)
            ELSE COALESCE(r.last_seen_at, r.updated_at) < $1 - make_interval(secs => $4)
        END
        FROM agent_runtime AS r
        WHERE r.id = p.runtime_id
    ), true)
)
SELECT w.id
FROM busy AS b
CROSS JOIN LATERAL (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.status = 'queued'
      AND t.runtime_id = b.runtime_id
      AND t.agent_id = b.agent_id
      AND b.many < (SELECT a.max_concurrent_tasks FROM agent AS a WHERE a.id = b.agent_id)
      AND t.created_at < $1 - make_interval(secs => $2)
      -- feature deferred
      AND (t.fire_at IS NULL OR t.fire_at < $1 - make_interval(secs => $2))
      -- end deferred
      AND t.id <> ALL ($5)
      AND (SELECT p.failure_reason FROM agent_task_queue AS p WHERE p.id = t.parent_task_id) IS DISTINCT FROM 'runtime_offline'
      AND (b.many_bare = 0 OR t.issue_id IS NOT NULL OR t.chat_session_id IS NOT NULL OR t.autopilot_run_id IS NOT NULL)
      AND NOT EXISTS (
          SELECT
          FROM agent_task_queue AS o
          WHERE o.issue_id = t.issue_id AND o.agent_id = t.agent_id
            AND (
                o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
                OR (o.completed_at > $1 - make_interval(secs => $2) AND o.dispatched_at IS NOT NULL)
            )
      )
      AND NOT EXISTS (
          SELECT
          FROM agent_task_queue AS o
          WHERE o.chat_session_id = t.chat_session_id
            AND o.completed_at IS NULL
            AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
      )
      AND NOT EXISTS (
          SELECT
          FROM agent_task_queue AS o
          WHERE o.chat_session_id = t.chat_session_id
            AND o.completed_at > $1 - make_interval(secs => $2)
            AND o.dispatched_at IS NOT NULL
      )
    ORDER BY t.runtime_id, t.agent_id, t.priority DESC, t.created_at, t.id
    LIMIT $6
) AS w
LIMIT $6

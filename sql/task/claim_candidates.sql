-- Returns the tasks that a runtime may claim now, best first: redeliveries of its own tasks that were dispatched and never started
-- (kind 0; a result that was lost on its way uses up no attempt), then the queued tasks of each agent as far as the agent has room
-- (kind 1). At most one task per issue and agent, and one per chat session, is in flight; of a session's turns only the first one
-- is returned. $5: the agents whose tasks are returned, which the caller has locked; NULL means every agent. The condition on an
-- active task of a chat repeats that completed_at is NULL, so that the index of a chat's tasks is used. For a known runtime there
-- is at least one row, which distinguishes an idle runtime from an unknown one. is_void: the task is of a workspace other than the
-- runtime's, or is marked because its chat or run was deleted. has_deferred: the runtime has tasks that may have to be queued first;
-- beside a server, the server queues them. wakes_agent: the agent must become 'working'. Each scan has the
-- ORDER BY of the one index that it must use, and agents are looked up one by one, so that the rest of a long queue and the ended
-- tasks are not read, whatever the statistics are.
WITH RECURSIVE queued_agent AS (
    (
        SELECT t.agent_id
        FROM agent_task_queue AS t
        WHERE t.runtime_id = $1 AND t.status = 'queued'
        ORDER BY t.agent_id, t.priority DESC, t.created_at, t.id
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT t.agent_id
        FROM agent_task_queue AS t
        WHERE t.runtime_id = $1 AND t.status = 'queued' AND t.agent_id > q.agent_id
        ORDER BY t.agent_id, t.priority DESC, t.created_at, t.id
        LIMIT 1
    )
    FROM queued_agent AS q
    WHERE q.agent_id IS NOT NULL
),
redeliverable AS (
    SELECT
        0 AS kind, a.status AS agent_status,
        t.id, t.agent_id, t.issue_id, t.chat_session_id, t.autopilot_run_id, t.failure_reason, 0 AS priority, t.dispatched_at AS at
    FROM agent_task_queue AS t
    CROSS JOIN LATERAL (SELECT g.status FROM agent AS g WHERE g.id = t.agent_id AND g.archived_at IS NULL OFFSET 0) AS a
    WHERE t.runtime_id = $1
      AND t.status = 'dispatched'
      AND t.started_at IS NULL
      AND t.dispatched_at < $2 - make_interval(secs => $3)
      AND ($5 IS NULL OR t.agent_id = ANY ($5))
),
queued AS (
    SELECT
        1 AS kind, a.status AS agent_status,
        c.id, c.agent_id, c.issue_id, c.chat_session_id, c.autopilot_run_id, c.failure_reason, c.priority, c.created_at AS at
    FROM queued_agent AS q
    CROSS JOIN LATERAL (
        SELECT g.id, g.status, g.max_concurrent_tasks FROM agent AS g WHERE g.id = q.agent_id AND g.archived_at IS NULL OFFSET 0
    ) AS a
    CROSS JOIN LATERAL (
        SELECT count(*) AS many
        FROM (
            SELECT
            FROM agent_task_queue AS o
            WHERE o.agent_id = a.id AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
            ORDER BY o.dispatched_at
            LIMIT GREATEST(a.max_concurrent_tasks, 0)
        ) AS f
    ) AS busy
    CROSS JOIN LATERAL (
        SELECT t.*
        FROM agent_task_queue AS t
        WHERE t.runtime_id = $1
          AND t.agent_id = a.id
          AND t.status = 'queued'
          AND (
              t.issue_id IS NULL
              OR (
                  SELECT true
                  FROM agent_task_queue AS o
                  WHERE o.agent_id = t.agent_id
                    AND o.issue_id = t.issue_id
                    AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
                  ORDER BY o.dispatched_at
                  LIMIT 1
              ) IS NULL
          )
          AND (
              t.chat_session_id IS NULL
              OR (
                  SELECT true
                  FROM agent_task_queue AS o
                  WHERE o.chat_session_id = t.chat_session_id
                    AND o.completed_at IS NULL
                    AND (
                        o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
                        OR (
                            o.status = 'queued'
                            AND o.runtime_id = t.runtime_id
                            AND (
                                o.priority > t.priority
                                OR (o.priority = t.priority AND (o.created_at, o.id) < (t.created_at, t.id))
                            )
                        )
                    )
                  ORDER BY o.completed_at
                  LIMIT 1
              ) IS NULL
          )
        ORDER BY t.priority DESC, t.created_at, t.id
        LIMIT LEAST(GREATEST(a.max_concurrent_tasks - busy.many, 0), $6)
    ) AS c
    WHERE $5 IS NULL OR q.agent_id = ANY ($5)
)
SELECT
    asked.workspace_id,
    asked.status <> 'online' OR COALESCE(asked.last_seen_at < $2 - make_interval(secs => $4), true) AS needs_sign_of_life,
    -- feature deferred
    -- feature own
    EXISTS (SELECT FROM agent_task_queue AS f WHERE f.runtime_id = asked.id AND f.status = 'deferred') AS has_deferred,
    -- end own
    -- without own
    --| false AS has_deferred,
    -- end own
    -- end deferred
    -- without deferred
    --| false AS has_deferred,
    -- end deferred
    b.id AS task_id,
    b.agent_id,
    b.chat_session_id,
    (
        b.workspace_id IS DISTINCT FROM asked.workspace_id
        OR (
            b.failure_reason = 'source_deleted'
            AND b.issue_id IS NULL
            AND b.chat_session_id IS NULL
            AND b.autopilot_run_id IS NULL
        ) IS TRUE
    ) AS is_void,
    b.kind = 1 AS is_queued,
    b.agent_status <> 'working' AS wakes_agent
FROM agent_runtime AS asked
LEFT JOIN LATERAL (
    SELECT
        u.*,
        COALESCE(
            (SELECT o.workspace_id FROM issue AS o WHERE o.id = u.issue_id),
            (SELECT o.workspace_id FROM chat_session AS o WHERE o.id = u.chat_session_id),
            (
                SELECT o.workspace_id FROM autopilot AS o
                WHERE o.id = (SELECT x.autopilot_id FROM autopilot_run AS x WHERE x.id = u.autopilot_run_id)
            ),
            (SELECT o.workspace_id FROM agent AS o WHERE o.id = u.agent_id)
        ) AS workspace_id
    FROM (SELECT * FROM redeliverable UNION ALL SELECT * FROM queued) AS u
    ORDER BY u.kind, u.priority DESC, u.at, u.id
    LIMIT $6
) AS b ON true
WHERE asked.id = $1
ORDER BY b.kind, b.priority DESC, b.at, b.id

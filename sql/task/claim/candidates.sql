-- Returns the tasks that the runtimes $1 may claim now, best first: redeliveries of their own tasks that were dispatched and never
-- started (kind 0; a result that was lost on its way uses up no attempt), then the queued tasks of each agent as far as the agent has
-- room (kind 1). A task is redelivered $3 seconds after it was dispatched, when its lease is over. At most one task per issue and
-- agent, and one per chat session, is in flight; of a session's turns only the first one is returned. In the tables of a server, an
-- agent has one task in flight that has neither issue, chat nor run. $5: the agents whose tasks are returned, which the caller has
-- locked; NULL means every agent. $8: for each runtime how many queued tasks its limits allow, NULL for any number. $9: the only
-- queued tasks that are returned; NULL means every task.
-- The condition on an active task of a chat repeats that completed_at is NULL, and those on tasks in flight repeat which tasks are
-- not, so that the indexes of a chat's tasks and of busy tasks are used. For a known runtime there is at least one row, which
-- distinguishes an idle runtime from an unknown one. is_live: the runtime is online and was seen within $7 seconds.
-- needs_sign_of_life: the claim is to set it online; a daemon that cannot run any task is left offline. is_void: the task is of a
-- workspace other than the runtime's, or is marked because its chat or run was deleted. may_resume: the task may have a session to
-- resume. has_input: it is a turn with messages of its own. room: how many tasks its agent can take.
-- wakes_agent: the agent must become 'working'. Each scan has the ORDER BY of the one index that it must use, and agents are looked up
-- one by one, so that the rest of a long queue and the ended tasks are not read, whatever the statistics are.
WITH RECURSIVE queued_agent AS (
    SELECT
        r.id AS runtime_id,
        r.room,
        (
            SELECT t.agent_id
            FROM agent_task_queue AS t
            WHERE t.runtime_id = r.id AND t.status = 'queued'
            ORDER BY t.agent_id, t.priority DESC, t.created_at, t.id
            LIMIT 1
        ) AS agent_id
    FROM unnest($1, $8) AS r (id, room)
    UNION ALL
    SELECT
        q.runtime_id,
        q.room,
        (
            SELECT t.agent_id
            FROM agent_task_queue AS t
            WHERE t.runtime_id = q.runtime_id AND t.status = 'queued' AND t.agent_id > q.agent_id
            ORDER BY t.agent_id, t.priority DESC, t.created_at, t.id
            LIMIT 1
        )
    FROM queued_agent AS q
    WHERE q.agent_id IS NOT NULL
),
redeliverable AS (
    SELECT
        0 AS kind, a.status AS agent_status, 0::bigint AS room, t.runtime_id,
        t.id, t.agent_id, t.issue_id, t.chat_session_id, t.autopilot_run_id, t.failure_reason, t.context, t.session_id,
        -- feature provenance
        t.rerun_of_task_id,
        -- end provenance
        -- feature chat_input
        NULL::uuid AS chat_input_task_id,
        -- end chat_input
        0 AS priority, t.dispatched_at AS at
    FROM agent_task_queue AS t
    CROSS JOIN LATERAL (SELECT g.status FROM agent AS g WHERE g.id = t.agent_id AND g.archived_at IS NULL OFFSET 0) AS a
    WHERE t.runtime_id = ANY ($1)
      AND t.status = 'dispatched'
      AND t.started_at IS NULL
      AND t.dispatched_at < $2 - make_interval(secs => $3)
      -- feature lease
      AND (t.prepare_lease_expires_at IS NULL OR t.prepare_lease_expires_at <= $2)
      -- end lease
      AND ($5 IS NULL OR t.agent_id = ANY ($5))
),
queued AS (
    SELECT
        1 AS kind, a.status AS agent_status, a.max_concurrent_tasks - busy.many AS room, q.runtime_id,
        c.id, c.agent_id, c.issue_id, c.chat_session_id, c.autopilot_run_id, c.failure_reason, c.context, c.session_id,
        -- feature provenance
        c.rerun_of_task_id,
        -- end provenance
        -- feature chat_input
        c.chat_input_task_id,
        -- end chat_input
        c.priority, c.created_at AS at
    FROM queued_agent AS q
    CROSS JOIN LATERAL (
        SELECT g.id, g.status, g.max_concurrent_tasks FROM agent AS g WHERE g.id = q.agent_id AND g.archived_at IS NULL OFFSET 0
    ) AS a
    CROSS JOIN LATERAL (
        SELECT count(*) AS many
        FROM (
            SELECT
            FROM agent_task_queue AS o
            WHERE o.agent_id = a.id
              AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
              AND o.status IN ('dispatched', 'running', 'waiting_local_directory')
            ORDER BY o.dispatched_at
            LIMIT GREATEST(a.max_concurrent_tasks, 0)
        ) AS f
    ) AS busy
    CROSS JOIN LATERAL (
        SELECT t.*
        FROM agent_task_queue AS t
        WHERE t.runtime_id = q.runtime_id
          AND t.agent_id = a.id
          AND t.status = 'queued'
          AND ($9 IS NULL OR t.id = ANY ($9))
          AND (
              t.issue_id IS NULL
              OR (
                  SELECT true
                  FROM agent_task_queue AS o
                  WHERE o.agent_id = t.agent_id
                    AND o.issue_id = t.issue_id
                    AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
                    AND o.status IN ('dispatched', 'running', 'waiting_local_directory')
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
                        o.status IN ('dispatched', 'running', 'waiting_local_directory')
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
          -- feature redis_era
          AND (
              t.issue_id IS NOT NULL
              OR t.chat_session_id IS NOT NULL
              OR t.autopilot_run_id IS NOT NULL
              OR (
                  SELECT true
                  FROM agent_task_queue AS o
                  WHERE o.agent_id = t.agent_id
                    AND o.issue_id IS NULL
                    AND o.chat_session_id IS NULL
                    AND o.autopilot_run_id IS NULL
                    AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
                    AND o.status IN ('dispatched', 'running', 'waiting_local_directory')
                  ORDER BY o.dispatched_at
                  LIMIT 1
              ) IS NULL
          )
          -- end redis_era
        ORDER BY t.priority DESC, t.created_at, t.id
        LIMIT LEAST(GREATEST(a.max_concurrent_tasks - busy.many, 0), q.room, $6)
    ) AS c
    WHERE $5 IS NULL OR q.agent_id = ANY ($5)
)
SELECT
    asked.id AS runtime_id,
    asked.workspace_id,
    asked.status = 'online' AND COALESCE(asked.last_seen_at >= $2 - make_interval(secs => $7), false) AS is_live,
    (asked.status <> 'online' OR COALESCE(asked.last_seen_at < $2 - make_interval(secs => $4), true))
    AND (asked.metadata -> 'offline_reason'::text ->> 'code'::text = 'not_executable') IS NOT TRUE AS needs_sign_of_life,
    -- feature deferred
    EXISTS (SELECT FROM agent_task_queue AS f WHERE f.runtime_id = asked.id AND f.status = 'deferred') AS has_deferred,
    -- end deferred
    -- without deferred
    --| false AS has_deferred,
    -- end deferred
    b.id AS task_id,
    b.agent_id,
    b.chat_session_id,
    (
        b.workspace_id IS DISTINCT FROM asked.workspace_id
        -- feature redis_era
        OR (
            b.issue_id IS NULL
            AND b.chat_session_id IS NULL
            AND b.autopilot_run_id IS NULL
            AND lower(b.context ->> 'workspace_id'::text) <> asked.workspace_id::text
        ) IS TRUE
        -- end redis_era
        OR (
            b.failure_reason = 'source_deleted'
            AND b.issue_id IS NULL
            AND b.chat_session_id IS NULL
            AND b.autopilot_run_id IS NULL
        ) IS TRUE
    ) AS is_void,
    b.kind = 1 AS is_queued,
    b.issue_id IS NOT NULL
    OR b.chat_session_id IS NOT NULL
    -- feature provenance
    OR b.rerun_of_task_id IS NOT NULL
    -- end provenance
    OR b.session_id IS NOT NULL AS may_resume,
    -- feature chat_input
    b.chat_session_id IS NOT NULL AND COALESCE(b.chat_input_task_id = b.id, false) AS has_input,
    -- end chat_input
    -- without chat_input
    --| false AS has_input,
    -- end chat_input
    b.room,
    -- feature redis_era
    b.issue_id IS NULL AND b.chat_session_id IS NULL AND b.autopilot_run_id IS NULL AS is_bare,
    -- end redis_era
    -- without redis_era
    --| false AS is_bare,
    -- end redis_era
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
    WHERE u.runtime_id = asked.id
    ORDER BY u.kind, u.priority DESC, u.at, u.id
    LIMIT $6
) AS b ON true
WHERE asked.id = ANY ($1)
ORDER BY b.kind, b.priority DESC, b.at, b.id

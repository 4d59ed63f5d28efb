-- Returns where the tasks $1 resume, which are about to be dispatched, or where the agent $3 can resume the issue $2, or the chat $4.
-- Session and working directory come from one source:
-- 1. the task that this one reruns; 2. nothing, if the task requires a new session; 3. the task itself, if it retries a task whose
-- session can be resumed here (in tables that install made, any task that carries a session); then for an issue the agent's last
-- task on it that has a session, and for a chat its pointer, otherwise its last turn that has a session.
-- A session is resumed only on the runtime where it was, a working directory on any runtime. A pointer counts if it was set on this
-- runtime. Where it lacks the runtime, in old tables or rows, it is that of the last turn if that turn set the pointer.
-- Cancelled tasks are sources, because a user who stops a task wants to continue there. A task that was cancelled while it was queued
-- is none, because its values are older than those of tasks that ran since.
-- A session is left out if its last task failed in a way that resuming would repeat, if a task has retired it, or if a later failure
-- says that the sessions have become too long. $5: the reasons after which a session is unsafe, or with $6 all others. $7: the pattern
-- of errors after which a session is unsafe, whatever the reason is. $8: that of errors about a session that is too long.
-- In the chat of a channel only turns of the same revision count, and no revision means 1; a lookup asks for the newest turn's.
-- The turns of a chat, which end one after the other, are read in the order of an index, the last one first, so that a long chat costs
-- no more than a short one.
WITH given AS MATERIALIZED (
    SELECT
        t.id AS task_id, t.agent_id, t.issue_id, t.chat_session_id, t.runtime_id,
        -- feature channel
        t.channel_context_revision AS revision
        -- end channel
        -- without channel
        --| NULL::bigint AS revision
        -- end channel
    FROM agent_task_queue AS t
    WHERE t.id = ANY ($1)
    UNION ALL
    SELECT NULL, $3, $2, NULL, (SELECT a.runtime_id FROM agent AS a WHERE a.id = $3), NULL
    WHERE $2 IS NOT NULL
    UNION ALL
    SELECT
        NULL, c.agent_id, NULL, c.id, (SELECT a.runtime_id FROM agent AS a WHERE a.id = c.agent_id),
        -- feature channel
        (
            SELECT o.channel_context_revision
            FROM agent_task_queue AS o
            WHERE o.chat_session_id = c.id
            ORDER BY o.completed_at DESC
            LIMIT 1
        )
        -- end channel
        -- without channel
        --| NULL
        -- end channel
    FROM chat_session AS c
    WHERE c.id = $4
),
asked AS MATERIALIZED (
    SELECT
        g.*,
        -- feature retired
        pg_catalog.array_cat(
            ARRAY(
                SELECT o.retired_session_id FROM agent_task_queue AS o
                WHERE o.issue_id = g.issue_id AND o.agent_id = g.agent_id AND o.retired_session_id IS NOT NULL
            ),
            ARRAY(
                SELECT o.retired_session_id FROM agent_task_queue AS o
                WHERE o.chat_session_id = g.chat_session_id AND o.retired_session_id IS NOT NULL
            )
        ) AS retired
        -- end retired
        -- without retired
        --| '{}'::text[] AS retired
        -- end retired
    FROM given AS g
)
SELECT asked.task_id, x.session_id, x.work_dir
FROM asked
LEFT JOIN LATERAL (
    SELECT y.source, y.session_id, y.work_dir, y.runtime_id
    FROM (
        -- feature provenance
        SELECT
            1 AS source,
            CASE
                WHEN (
                    o.status = 'failed'
                    AND ((COALESCE(o.failure_reason, '') = ANY ($5)) <> $6 OR o.error ~* $7 OR o.error ~* $8)
                ) IS NOT TRUE
                -- feature rollout
                AND NOT o.session_rollout_missing
                -- end rollout
                AND o.session_id <> ALL (asked.retired)
                THEN o.session_id
            END AS session_id,
            o.work_dir, o.runtime_id
        FROM agent_task_queue AS t
        JOIN agent_task_queue AS o ON o.id = t.rerun_of_task_id
        WHERE t.id = asked.task_id
          AND o.agent_id = t.agent_id
          AND o.issue_id IS NOT DISTINCT FROM t.issue_id
          AND o.chat_session_id IS NOT DISTINCT FROM t.chat_session_id
        UNION ALL
        -- end provenance
        -- feature fresh
        SELECT 2 AS source, NULL::text AS session_id, NULL::text AS work_dir, NULL::uuid AS runtime_id
        FROM agent_task_queue AS t
        WHERE t.id = asked.task_id AND t.force_fresh_session
        UNION ALL
        -- end fresh
        SELECT 3 AS source, t.session_id, t.work_dir, t.runtime_id
        FROM agent_task_queue AS t
        WHERE t.id = asked.task_id
          AND t.session_id IS NOT NULL
          -- feature fresh
          AND t.session_id <> ALL (asked.retired)
          AND (
              (
                  SELECT
                      o.runtime_id = t.runtime_id
                      -- feature rollout
                      AND NOT o.session_rollout_missing
                      -- end rollout
                      AND (
                          o.status = 'failed'
                          AND ((COALESCE(o.failure_reason, '') = ANY ($5)) <> $6 OR o.error ~* $7 OR o.error ~* $8)
                      ) IS NOT TRUE
                  FROM agent_task_queue AS o
                  WHERE o.id = t.parent_task_id
              )
              -- feature own
              OR t.parent_task_id IS NULL
              -- end own
          )
          -- end fresh
    ) AS y
    ORDER BY y.source
    LIMIT 1
) AS own ON true
LEFT JOIN LATERAL (
    SELECT 4 AS source, y.session_id, y.work_dir, y.runtime_id
    FROM (
        SELECT
            o.id, o.session_id, o.work_dir, o.runtime_id, e.at,
            row_number() OVER (PARTITION BY o.session_id ORDER BY e.at DESC, o.id DESC) AS nth,
            -- feature fresh
            o.status = 'failed' AND ((COALESCE(o.failure_reason, '') = ANY ($5)) <> $6 OR o.error ~* $7) AS is_unsafe,
            max(e.at) FILTER (
                WHERE o.status = 'failed' AND (o.failure_reason = 'codex_resume_oversized' OR o.error ~* $8)
            ) OVER () AS overflowed_at
            -- end fresh
            -- without fresh
            --| false AS is_unsafe,
            --| NULL::timestamptz AS overflowed_at
            -- end fresh
        FROM agent_task_queue AS o
        CROSS JOIN LATERAL (SELECT COALESCE(o.completed_at, o.started_at, o.dispatched_at, o.created_at) AS at) AS e
        WHERE own.source IS NULL
          AND o.issue_id = asked.issue_id
          AND o.agent_id = asked.agent_id
          AND o.status IN ('completed', 'failed', 'cancelled')
          AND (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL)
    ) AS y
    WHERE y.session_id IS NOT NULL
      AND y.nth = 1
      AND y.is_unsafe IS NOT TRUE
      AND (y.overflowed_at IS NULL OR y.at > y.overflowed_at)
      AND y.session_id <> ALL (asked.retired)
    ORDER BY y.at DESC, y.id DESC
    LIMIT 1
) AS of_issue ON true
LEFT JOIN LATERAL (
    SELECT 5 AS source, c.session_id, c.work_dir, p.runtime_id
    FROM chat_session AS c
    LEFT JOIN LATERAL (
        SELECT
            o.session_id, o.runtime_id,
            -- feature fresh
            o.status = 'failed'
            AND ((COALESCE(o.failure_reason, '') = ANY ($5)) <> $6 OR o.error ~* $7 OR o.error ~* $8) AS is_unsafe
            -- end fresh
            -- without fresh
            --| false AS is_unsafe
            -- end fresh
        FROM agent_task_queue AS o
        WHERE o.chat_session_id = c.id
          AND o.status IN ('completed', 'failed', 'cancelled')
          AND (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL)
          AND o.session_id IS NOT NULL
          AND o.completed_at IS NOT NULL
        ORDER BY o.completed_at DESC
        LIMIT 1
    ) AS l ON true
    CROSS JOIN LATERAL (
        SELECT
            COALESCE(
                -- feature chat_runtime
                c.runtime_id,
                -- end chat_runtime
                CASE WHEN l.session_id = c.session_id THEN l.runtime_id ELSE asked.runtime_id END
            ) AS runtime_id
    ) AS p
    WHERE c.id = asked.chat_session_id
      AND own.source IS NULL
      AND of_issue.source IS NULL
      AND c.session_id IS NOT NULL
      AND c.session_id <> ALL (asked.retired)
      AND (l.session_id = c.session_id AND l.is_unsafe) IS NOT TRUE
      -- feature chat_runtime
      AND p.runtime_id = asked.runtime_id
      -- without own
      --| AND c.runtime_id IS NOT NULL
      -- end own
      -- end chat_runtime
      -- without chat_runtime
      --| AND asked.task_id IS NOT NULL
      -- end chat_runtime
      -- feature channel
      AND asked.revision IS NULL
      -- end channel
) AS pointed ON true
LEFT JOIN LATERAL (
    SELECT 6 AS source, y.session_id, y.work_dir, y.runtime_id
    FROM (
        SELECT
            o.session_id, o.work_dir, o.runtime_id,
            -- feature fresh
            o.status = 'failed' AND (o.failure_reason = 'codex_resume_oversized' OR o.error ~* $8) AS is_overflow
            -- end fresh
            -- without fresh
            --| false AS is_overflow
            -- end fresh
        FROM agent_task_queue AS o
        WHERE own.source IS NULL
          AND of_issue.source IS NULL
          AND pointed.source IS NULL
          AND o.chat_session_id = asked.chat_session_id
          AND o.status IN ('completed', 'failed', 'cancelled')
          AND (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL)
          AND o.completed_at IS NOT NULL
          -- feature channel
          AND (asked.revision IS NULL OR COALESCE(o.channel_context_revision, 1::bigint) = asked.revision)
          -- end channel
          AND (
              (
                  o.session_id IS NOT NULL
                  -- feature fresh
                  AND o.session_id <> ALL (asked.retired)
                  AND (
                      o.status = 'failed' AND ((COALESCE(o.failure_reason, '') = ANY ($5)) <> $6 OR o.error ~* $7)
                  ) IS NOT TRUE
                  AND (
                      SELECT true
                      FROM agent_task_queue AS n
                      WHERE n.chat_session_id = o.chat_session_id
                        AND n.session_id = o.session_id
                        AND n.status IN ('completed', 'failed', 'cancelled')
                        AND (n.status <> 'cancelled' OR n.dispatched_at IS NOT NULL)
                        AND (n.completed_at, n.id) > (o.completed_at, o.id)
                      ORDER BY n.completed_at DESC
                      LIMIT 1
                  ) IS NULL
                  -- end fresh
              )
              -- feature fresh
              OR (o.status = 'failed' AND (o.failure_reason = 'codex_resume_oversized' OR o.error ~* $8))
              -- end fresh
          )
        ORDER BY o.completed_at DESC
        LIMIT 1
    ) AS y
    WHERE y.is_overflow IS NOT TRUE
) AS of_chat ON true
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN
                v.runtime_id = asked.runtime_id
                -- without chat_runtime
                --| OR asked.task_id IS NULL
                -- end chat_runtime
                THEN v.session_id
        END AS session_id,
        v.work_dir
    FROM (
        VALUES
        (own.source, own.session_id, own.work_dir, own.runtime_id),
        (of_issue.source, of_issue.session_id, of_issue.work_dir, of_issue.runtime_id),
        (pointed.source, pointed.session_id, pointed.work_dir, pointed.runtime_id),
        (of_chat.source, of_chat.session_id, of_chat.work_dir, of_chat.runtime_id)
    ) AS v (source, session_id, work_dir, runtime_id)
    WHERE v.source IS NOT NULL
    ORDER BY v.source
    LIMIT 1
) AS x

-- Returns where the chat can be resumed: the chat's pointer if it was set on the runtime of the chat's agent, otherwise the last
-- turn that has a session. Which sessions are left out is described in task/last_task_session.sql. In the chat of a channel, only
-- turns of the newest turn's revision count, and no revision means 1. The ORDER BY is that of the index on a chat's tasks, so that
-- a long chat costs no more than a short one.
-- feature chat_runtime
SELECT x.session_id, x.work_dir
FROM (
    (
        SELECT 1 AS source, c.session_id, c.work_dir
        FROM chat_session AS c
        JOIN agent AS a ON a.id = c.agent_id
        WHERE c.id = $1
          AND c.session_id IS NOT NULL
          AND c.runtime_id = a.runtime_id
          -- feature channel
          AND (
              SELECT o.channel_context_revision
              FROM agent_task_queue AS o
              WHERE o.chat_session_id = $1
              ORDER BY o.completed_at DESC
              LIMIT 1
          ) IS NULL
          -- end channel
    )
    UNION ALL
    (
        -- end chat_runtime
        SELECT
            -- without chat_runtime
            --| t.session_id,
            -- end chat_runtime
            -- feature chat_runtime
            2 AS source,
            CASE
                WHEN t.runtime_id = (SELECT a.runtime_id FROM agent AS a WHERE a.id = t.agent_id) THEN t.session_id
            END AS session_id,
            -- end chat_runtime
            t.work_dir
        FROM agent_task_queue AS t
        WHERE t.chat_session_id = $1
          AND t.status IN ('completed', 'failed', 'cancelled')
          AND (t.status <> 'cancelled' OR t.dispatched_at IS NOT NULL)
          AND t.session_id IS NOT NULL
          AND t.completed_at IS NOT NULL
          -- feature fresh
          AND (
              t.status = 'failed'
              AND (
                  t.failure_reason IN (
                      'codex_semantic_inactivity', 'iteration_limit', 'agent_fallback_message', 'api_invalid_request',
                      'agent_error.context_overflow', 'codex_resume_oversized'
                  )
                  OR (t.error LIKE '%400%' AND t.error ILIKE '%invalid_request_error%')
                  OR t.error ILIKE '%could not resolve authentication method%'
                  OR (
                      t.error ~* '(must|should) not be empty|must (be|have) nonempty|non-empty content|cannot be empty'
                      AND t.error ~* 'role[^[:alnum:]]{0,8}assistant|assistant message|message at position|messages[.[][0-9]'
                  )
                  OR t.error ILIKE '%image dimensions exceed max allowed size%'
                  OR t.error ILIKE '%image.source.base64.data%'
              )
          ) IS NOT TRUE
          AND NOT EXISTS (
              SELECT FROM agent_task_queue AS o
              WHERE o.chat_session_id = t.chat_session_id
                AND o.session_id = t.session_id
                AND o.status IN ('completed', 'failed', 'cancelled')
                AND (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL)
                AND (o.completed_at, o.id) > (t.completed_at, t.id)
          )
          AND NOT EXISTS (
              SELECT FROM agent_task_queue AS o
              WHERE o.chat_session_id = t.chat_session_id
                AND o.status = 'failed'
                AND (
                    o.failure_reason = 'codex_resume_oversized'
                    OR (o.error ILIKE '%thread/resume failed%' AND o.error ILIKE '%token too long%')
                )
                AND o.completed_at > t.completed_at
          )
          -- end fresh
          -- feature retired
          AND NOT EXISTS (
              SELECT FROM agent_task_queue AS o
              WHERE o.chat_session_id = t.chat_session_id AND o.retired_session_id = t.session_id
          )
          -- end retired
          -- feature channel
          AND COALESCE(
              COALESCE(t.channel_context_revision, 1::bigint) = (
                  SELECT o.channel_context_revision
                  FROM agent_task_queue AS o
                  WHERE o.chat_session_id = $1
                  ORDER BY o.completed_at DESC
                  LIMIT 1
              ), true
          )
          -- end channel
        ORDER BY t.completed_at DESC, t.id DESC
        LIMIT 1
        -- feature chat_runtime
    )
) AS x
ORDER BY x.source
LIMIT 1
-- end chat_runtime

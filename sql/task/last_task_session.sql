-- Returns the session of the agent's last task on the issue that has one. Cancelled tasks are included, because a user who stops a
-- task wants to continue there. Tasks that were cancelled while they were queued are not included, because their values are older
-- than those of tasks that ran since. A session is left out if its last task failed in a way that resuming would repeat, if a later
-- failure says that the agent's sessions have become too long, or if a task has retired the session. On a runtime other than the
-- agent's, only the working directory is returned.
SELECT
    -- without chat_runtime
    --| t.session_id,
    -- end chat_runtime
    -- feature chat_runtime
    CASE WHEN t.runtime_id = (SELECT a.runtime_id FROM agent AS a WHERE a.id = t.agent_id) THEN t.session_id END AS session_id,
    -- end chat_runtime
    t.work_dir
FROM agent_task_queue AS t
WHERE t.issue_id = $1
  AND t.agent_id = $2
  AND t.status IN ('completed', 'failed', 'cancelled')
  AND (t.status <> 'cancelled' OR t.dispatched_at IS NOT NULL)
  AND t.session_id IS NOT NULL
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
      WHERE o.issue_id = t.issue_id
        AND o.agent_id = t.agent_id
        AND o.session_id = t.session_id
        AND o.status IN ('completed', 'failed', 'cancelled')
        AND (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL)
        AND (COALESCE(o.completed_at, o.started_at, o.dispatched_at, o.created_at), o.id)
            > (COALESCE(t.completed_at, t.started_at, t.dispatched_at, t.created_at), t.id)
  )
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.issue_id = t.issue_id
        AND o.agent_id = t.agent_id
        AND o.status = 'failed'
        AND (
            o.failure_reason = 'codex_resume_oversized'
            OR (o.error ILIKE '%thread/resume failed%' AND o.error ILIKE '%token too long%')
        )
        AND COALESCE(o.completed_at, o.started_at, o.dispatched_at, o.created_at)
            > COALESCE(t.completed_at, t.started_at, t.dispatched_at, t.created_at)
  )
  -- end fresh
  -- feature retired
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.issue_id = t.issue_id AND o.agent_id = t.agent_id AND o.retired_session_id = t.session_id
  )
  -- end retired
ORDER BY COALESCE(t.completed_at, t.started_at, t.dispatched_at, t.created_at) DESC, t.id DESC
LIMIT 1

-- Returns tasks that another program failed without some consequence, the oldest first: at most $6, that ended after the
-- position ($1, $2) and not after $3. $4: the reasons of failures that may be retried, $5: those that are not, all of them
-- words that only sweeps and recoveries write. No other task continues the work, and the retry is missing, or the issue is still in
-- progress without an active task, or the autopilot run of the task or of the issue has not ended. A server never retries a task
-- without an issue and a chat. The steps that follow decide exactly which failures are retried and which issues are reset.
SELECT t.id, t.completed_at
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
WHERE t.status = 'failed'
  AND t.completed_at >= $1
  AND (t.completed_at, t.id) > ($1, $2)
  AND t.completed_at <= $3
  AND (t.failure_reason = ANY ($4) OR t.failure_reason = ANY ($5))
  AND NOT EXISTS (SELECT FROM agent_task_queue AS c WHERE c.parent_task_id = t.id)
  AND NOT EXISTS (
      SELECT
      FROM agent_task_queue AS o
      WHERE o.issue_id = t.issue_id AND o.agent_id = t.agent_id AND o.id <> t.id
        AND (
            o.status NOT IN ('completed', 'failed', 'cancelled')
            OR o.completed_at > t.completed_at
            OR o.created_at > t.completed_at
        )
  )
  AND NOT EXISTS (
      SELECT
      FROM agent_task_queue AS o
      WHERE o.chat_session_id = t.chat_session_id AND o.completed_at > t.completed_at
  )
  AND NOT EXISTS (
      SELECT
      FROM agent_task_queue AS o
      WHERE o.chat_session_id = t.chat_session_id AND o.completed_at IS NULL
        AND o.status NOT IN ('completed', 'failed', 'cancelled')
  )
  AND (
      (
          t.failure_reason = ANY ($4)
          AND t.attempt < t.max_attempts
          AND t.autopilot_run_id IS NULL
          AND (t.issue_id IS NOT NULL OR t.chat_session_id IS NOT NULL)
          AND a.archived_at IS NULL
          AND a.runtime_id IS NOT NULL
      )
      OR EXISTS (
          SELECT
          FROM issue AS i
          WHERE i.id = t.issue_id
            -- without open_status
            --| AND i.status = 'in_progress'
            -- end open_status
            -- feature open_status
            AND (
                i.status = 'in_progress'
                OR (
                    i.status <> ALL ('{backlog,todo,in_progress,in_review,done,blocked,cancelled}'::text[])
                    AND EXISTS (
                        SELECT FROM issue_status AS s
                        WHERE s.workspace_id = i.workspace_id AND s.key = i.status AND s.category = 'in_progress'
                    )
                )
            )
            -- end open_status
            AND NOT EXISTS (
                SELECT
                FROM agent_task_queue AS o
                WHERE o.issue_id = i.id AND o.status NOT IN ('completed', 'failed', 'cancelled')
            )
      )
      OR EXISTS (
          SELECT
          FROM autopilot_run AS r
          WHERE r.status IN ('issue_created', 'running') AND r.id = t.autopilot_run_id
      )
      OR EXISTS (
          SELECT
          FROM autopilot_run AS r
          WHERE r.status IN ('issue_created', 'running') AND r.issue_id = t.issue_id
            AND NOT EXISTS (
                SELECT
                FROM agent_task_queue AS o
                WHERE o.issue_id = t.issue_id AND o.status NOT IN ('completed', 'failed', 'cancelled')
            )
      )
  )
ORDER BY t.completed_at, t.id
LIMIT $6

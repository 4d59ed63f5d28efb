-- Queues one retry per failed task, at the end of the queue, in the order of the failed tasks. If the pending slot of (issue,
-- agent) is taken, there is no retry. The retry waits on the runtime to which the agent is bound now, and resumes the session only
-- if the session was there. The retry of a chat turn keeps the turn's place in the queue, before the turns that were queued after
-- it, because it has the session that those turns resume. A failure that is passed late gets no retry if a later task of the same
-- work has run or is running; a task that was cancelled while it was queued has not run.
INSERT INTO agent_task_queue (
    agent_id, runtime_id, issue_id, chat_session_id, autopilot_run_id, trigger_comment_id, priority, context,
    session_id, work_dir, max_attempts, attempt, parent_task_id, status, created_at
)
SELECT
    p.agent_id, a.runtime_id, p.issue_id, p.chat_session_id, p.autopilot_run_id, p.trigger_comment_id,
    CASE WHEN p.chat_session_id IS NULL THEN p.priority ELSE GREATEST(p.priority, 3, (
        SELECT max(q.priority)
        FROM agent_task_queue AS q
        WHERE q.chat_session_id = p.chat_session_id AND q.completed_at IS NULL AND q.status = 'queued'
    )) END,
    p.context,
    CASE WHEN p.runtime_id = a.runtime_id THEN p.session_id END, p.work_dir, p.max_attempts, p.attempt + 1, p.id, 'queued',
    CASE WHEN p.chat_session_id IS NULL THEN $2 + make_interval(
        secs => 0.000001::double precision
            * (row_number() OVER (ORDER BY p.priority DESC, p.created_at, p.id))::double precision
    ) ELSE p.created_at END
FROM agent_task_queue AS p
JOIN agent AS a ON a.id = p.agent_id
WHERE p.id = ANY ($1)
  AND p.status = 'failed'
  AND p.failure_reason IN ('runtime_offline', 'runtime_recovery', 'timeout')
  AND p.attempt < p.max_attempts
  AND p.autopilot_run_id IS NULL
  AND (p.issue_id IS NOT NULL OR p.chat_session_id IS NOT NULL OR p.context IS NOT NULL)
  AND a.archived_at IS NULL
  AND NOT EXISTS (SELECT FROM agent_task_queue AS c WHERE c.parent_task_id = p.id)
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.issue_id = p.issue_id AND o.agent_id = p.agent_id
        AND (
            (o.id <> p.id AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred'))
            OR (o.completed_at > p.completed_at AND (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL))
        )
  )
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.chat_session_id = p.chat_session_id AND o.id <> p.id AND o.completed_at IS NULL
        AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
  )
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.chat_session_id = p.chat_session_id AND o.completed_at > p.completed_at
        AND (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL)
  )
ORDER BY p.priority DESC, p.created_at, p.id
ON CONFLICT (issue_id, agent_id) WHERE status IN ('queued', 'dispatched') DO NOTHING
RETURNING id, agent_id, issue_id, runtime_id, chat_session_id, autopilot_run_id, parent_task_id, status, attempt, max_attempts,
    failure_reason, error

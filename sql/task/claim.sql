-- Claims tasks and returns them in the given order, with the session and the working directory that the daemon resumes. Both come
-- from one source: the task itself, otherwise the agent's last task on the issue, otherwise the chat's pointer, otherwise the
-- chat's last task. A task that was cancelled while it was queued is not a source, because its values are older than those of tasks
-- that ran since. A session is resumed only on the runtime where it was, a working directory on any runtime. A chat's pointer does
-- not contain its runtime; if the last turn set the pointer, it is that turn's runtime.
WITH claimed AS (
    UPDATE agent_task_queue AS t
    SET status = 'dispatched', dispatched_at = $2
    WHERE t.id = ANY ($1)
      AND t.runtime_id = $3
      AND (t.status = 'queued' OR (t.status = 'dispatched' AND t.started_at IS NULL))
    RETURNING t.*
)
SELECT
    t.*,
    $4 AS workspace_id,
    s.session_id AS prior_session_id,
    s.work_dir AS prior_work_dir
FROM claimed AS t
LEFT JOIN LATERAL (
    SELECT CASE WHEN x.runtime_id = t.runtime_id THEN x.session_id END AS session_id, x.work_dir
    FROM (
        SELECT 1 AS source, t.session_id, t.work_dir, t.runtime_id
        UNION ALL
        (
            SELECT 2, o.session_id, o.work_dir, o.runtime_id
            FROM agent_task_queue AS o
            WHERE t.session_id IS NULL
              AND o.issue_id = t.issue_id
              AND o.agent_id = t.agent_id
              AND o.status IN ('completed', 'failed', 'cancelled')
              AND (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL)
              AND o.session_id IS NOT NULL
            ORDER BY COALESCE(o.completed_at, o.started_at, o.dispatched_at, o.created_at) DESC, o.id DESC
            LIMIT 1
        )
        UNION ALL
        SELECT v.source, v.session_id, v.work_dir, v.runtime_id
        FROM chat_session AS c
        LEFT JOIN LATERAL (
            SELECT o.session_id, o.work_dir, o.runtime_id
            FROM agent_task_queue AS o
            WHERE t.session_id IS NULL
              AND o.chat_session_id = t.chat_session_id
              AND o.status IN ('completed', 'failed', 'cancelled')
              AND (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL)
              AND o.session_id IS NOT NULL
              AND o.completed_at IS NOT NULL
            ORDER BY o.completed_at DESC, o.id DESC
            LIMIT 1
        ) AS l ON true
        CROSS JOIN LATERAL (
            VALUES
                (3, c.session_id, c.work_dir, CASE WHEN l.session_id = c.session_id THEN l.runtime_id ELSE t.runtime_id END),
                (4, l.session_id, l.work_dir, l.runtime_id)
        ) AS v (source, session_id, work_dir, runtime_id)
        WHERE c.id = t.chat_session_id
    ) AS x
    WHERE x.session_id IS NOT NULL
    ORDER BY x.source
    LIMIT 1
) AS s ON true
ORDER BY array_position($1, t.id)

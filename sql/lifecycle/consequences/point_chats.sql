-- Stores in each chat where its turn ended, whatever the outcome of the turn was, because the next turn resumes there. A turn that
-- is passed late, after a later turn of the chat has ended, is not stored. A session that must not be resumed is not stored, and the
-- chat forgets it: a session that the turn has given up, and one that failed for a reason after which it is unsafe. $3 and $4: the
-- built-in policy, in which the reason '*' stands for every reason without a row of its own.
WITH turn AS MATERIALIZED (
    SELECT
        t.id, t.chat_session_id, t.runtime_id, t.work_dir,
        -- feature retired
        t.retired_session_id,
        NULLIF(t.session_id, t.retired_session_id) AS session_id,
        -- end retired
        -- without retired
        --| NULL::text AS retired_session_id,
        --| t.session_id,
        -- end retired
        t.status = 'failed' AND COALESCE(
            -- feature retry_policy
            (SELECT o.unsafe_to_resume FROM multica_retry_policy AS o WHERE o.reason = t.failure_reason),
            -- end retry_policy
            (SELECT b.is_unsafe FROM unnest($3, $4) AS b (reason, is_unsafe) WHERE b.reason = t.failure_reason),
            -- feature retry_policy
            (SELECT o.unsafe_to_resume FROM multica_retry_policy AS o WHERE o.reason = '*'),
            -- end retry_policy
            (SELECT b.is_unsafe FROM unnest($3, $4) AS b (reason, is_unsafe) WHERE b.reason = '*')
        ) AS is_unsafe
    FROM agent_task_queue AS t
    WHERE t.id = ANY ($1)
      AND t.dispatched_at IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM agent_task_queue AS o
          WHERE o.chat_session_id = t.chat_session_id AND o.completed_at > t.completed_at AND o.dispatched_at IS NOT NULL
      )
)
UPDATE chat_session AS c
SET
    -- feature chat_runtime
    runtime_id = CASE WHEN NOT t.is_unsafe AND t.session_id IS NOT NULL THEN t.runtime_id END,
    -- end chat_runtime
    session_id = CASE WHEN NOT t.is_unsafe THEN t.session_id END,
    work_dir = COALESCE(t.work_dir, c.work_dir),
    updated_at = $2
FROM turn AS t
WHERE c.id = t.chat_session_id
  AND CASE
      WHEN NOT t.is_unsafe AND t.session_id IS NOT NULL THEN
          c.session_id IS DISTINCT FROM t.session_id
          -- feature chat_runtime
          OR c.runtime_id IS DISTINCT FROM t.runtime_id
          -- end chat_runtime
          OR c.work_dir IS DISTINCT FROM COALESCE(t.work_dir, c.work_dir)
      ELSE
          (c.session_id = t.retired_session_id OR (t.is_unsafe AND c.session_id = t.session_id))
          -- feature chat_runtime
          AND c.runtime_id = t.runtime_id
          -- end chat_runtime
  END

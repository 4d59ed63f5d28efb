-- Stores in each chat where its turn ended, whatever the outcome of the turn was, because the next turn resumes there; an empty field
-- keeps its value. A turn that is passed late, after a later turn of the chat has ended, is not stored. A session that must not be
-- resumed is not stored, and the chat forgets it only if it points to this session on this runtime: a session that the turn has given
-- up, one that failed for a reason after which it is unsafe, and one that failed with an error that each resumption would repeat.
-- $3 and $4: the built-in policy, in which the reason '*' stands for every reason without a row of its own. $5: whether the turn ends
-- at this moment, so that its chat is written in any case. $6: the pattern of these errors.
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
        t.status = 'failed' AND (
            COALESCE(
                -- feature retry_policy
                (SELECT o.unsafe_to_resume FROM multica_retry_policy AS o WHERE o.reason = t.failure_reason),
                -- end retry_policy
                (SELECT b.is_unsafe FROM unnest($3, $4) AS b (reason, is_unsafe) WHERE b.reason = t.failure_reason),
                -- feature retry_policy
                (SELECT o.unsafe_to_resume FROM multica_retry_policy AS o WHERE o.reason = '*'),
                -- end retry_policy
                (SELECT b.is_unsafe FROM unnest($3, $4) AS b (reason, is_unsafe) WHERE b.reason = '*')
            )
            -- feature fresh
            OR (t.error ~* $6) IS TRUE
            -- end fresh
        ) AS is_unsafe
    FROM agent_task_queue AS t
    WHERE t.id = ANY ($1)
      AND (t.status = 'completed' OR t.dispatched_at IS NOT NULL)
      AND NOT EXISTS (
          SELECT FROM agent_task_queue AS o
          WHERE o.chat_session_id = t.chat_session_id AND o.completed_at > t.completed_at AND o.dispatched_at IS NOT NULL
      )
),
pointer AS MATERIALIZED (
    SELECT
        t.chat_session_id, t.runtime_id, t.session_id, t.work_dir, t.is_unsafe,
        t.session_id IS NOT NULL AND NOT t.is_unsafe AS is_stored,
        (
            (c.session_id = t.retired_session_id OR (t.is_unsafe AND c.session_id = t.session_id))
            -- feature chat_runtime
            AND c.runtime_id = t.runtime_id
            -- end chat_runtime
        ) IS TRUE AS is_forgotten
    FROM turn AS t
    JOIN chat_session AS c ON c.id = t.chat_session_id
)
UPDATE chat_session AS c
SET
    -- feature chat_runtime
    runtime_id = CASE WHEN p.is_stored THEN p.runtime_id WHEN NOT p.is_forgotten THEN c.runtime_id END,
    -- end chat_runtime
    session_id = CASE WHEN p.is_stored THEN p.session_id WHEN NOT p.is_forgotten THEN c.session_id END,
    work_dir = CASE WHEN p.is_unsafe AND NOT p.is_forgotten THEN c.work_dir ELSE COALESCE(p.work_dir, c.work_dir) END,
    updated_at = $2
FROM pointer AS p
WHERE c.id = p.chat_session_id
  AND (
      $5
      OR p.is_forgotten
      OR (
          p.is_stored
          AND (
              c.session_id IS DISTINCT FROM p.session_id
              -- feature chat_runtime
              OR c.runtime_id IS DISTINCT FROM p.runtime_id
              -- end chat_runtime
              OR c.work_dir IS DISTINCT FROM COALESCE(p.work_dir, c.work_dir)
          )
      )
  )

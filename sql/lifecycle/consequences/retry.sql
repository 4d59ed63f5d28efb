-- Queues one retry per failed task, in the order of the failed tasks, if the policy of its failure_reason retries it and attempts are
-- left. Only this statement and in_force.sql read the policy. $3 to $11 are the built-in policy: one array per attribute, in which
-- the reason '*' stands for every reason without a row of its own. A task with max_attempts 1 is never retried.
-- If the pending slot of (issue, agent) is taken, there is no retry. The retry waits on the runtime to which the agent is bound now,
-- and resumes the session only if the session was there. A delayed retry is deferred until fire_at, and so is, beside a server, one
-- that waits for its runtime; in tables without a server a queued task waits for its runtime anyway.
-- In tables without a server, the retry of a chat turn keeps the turn's place in the queue, before the turns that were queued after
-- it, because it has the session that those turns resume. A server fails tasks by created_at, so there the priority keeps the place.
-- A failure that is passed late gets no retry if a later task of the same work has run or is running; a task that was cancelled
-- while it was queued has not run.
WITH built_in AS MATERIALIZED (
    SELECT b.*
    FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11) AS b (
        reason, is_retried, max_attempts, delay_secs, delay_from_attempt, backoff_factor, jitter, keeps_session, waits_for_runtime
    )
),
reason AS MATERIALIZED (
    SELECT DISTINCT t.failure_reason AS reason FROM agent_task_queue AS t WHERE t.id = ANY ($1)
),
policy AS MATERIALIZED (
    SELECT
        r.reason,
        -- feature retry_policy
        COALESCE(o.is_retried, b.is_retried, u.is_retried, e.is_retried) AS is_retried,
        COALESCE(o.max_attempts, b.max_attempts, u.max_attempts, e.max_attempts) AS max_attempts,
        COALESCE(o.delay_secs, b.delay_secs, u.delay_secs, e.delay_secs) AS delay_secs,
        COALESCE(o.delay_from_attempt, b.delay_from_attempt, u.delay_from_attempt, e.delay_from_attempt) AS delay_from_attempt,
        COALESCE(o.backoff_factor, b.backoff_factor, u.backoff_factor, e.backoff_factor) AS backoff_factor,
        COALESCE(o.jitter, b.jitter, u.jitter, e.jitter) AS jitter,
        COALESCE(o.keeps_session, b.keeps_session, u.keeps_session, e.keeps_session) AS keeps_session,
        COALESCE(o.waits_for_runtime, b.waits_for_runtime, u.waits_for_runtime, e.waits_for_runtime) AS waits_for_runtime
        -- end retry_policy
        -- without retry_policy
        --| COALESCE(b.is_retried, e.is_retried) AS is_retried,
        --| COALESCE(b.max_attempts, e.max_attempts) AS max_attempts,
        --| COALESCE(b.delay_secs, e.delay_secs) AS delay_secs,
        --| COALESCE(b.delay_from_attempt, e.delay_from_attempt) AS delay_from_attempt,
        --| COALESCE(b.backoff_factor, e.backoff_factor) AS backoff_factor,
        --| COALESCE(b.jitter, e.jitter) AS jitter,
        --| COALESCE(b.keeps_session, e.keeps_session) AS keeps_session,
        --| COALESCE(b.waits_for_runtime, e.waits_for_runtime) AS waits_for_runtime
        -- end retry_policy
    FROM reason AS r
    JOIN built_in AS e ON e.reason = '*'
    LEFT JOIN built_in AS b ON b.reason = r.reason
    -- feature retry_policy
    LEFT JOIN multica_retry_policy AS o ON o.reason = r.reason
    LEFT JOIN multica_retry_policy AS u ON u.reason = '*'
    -- end retry_policy
)
INSERT INTO agent_task_queue (
    -- feature summary
    trigger_summary,
    -- end summary
    -- feature fresh
    force_fresh_session,
    -- end fresh
    -- feature leader_task
    is_leader_task,
    -- end leader_task
    -- feature task_squad
    squad_id,
    -- end task_squad
    -- feature deferred
    fire_at,
    -- end deferred
    -- feature originator
    originator_user_id,
    -- end originator
    -- feature accountable
    accountable_user_id,
    -- end accountable
    -- feature coalesced
    coalesced_comment_ids,
    -- end coalesced
    -- feature chat_input
    chat_input_task_id,
    -- end chat_input
    -- feature provenance
    originator_source, delegated_from_task_id, retry_of_task_id, rule_version_id, trigger_evidence_kind, trigger_evidence_ref_id,
    -- end provenance
    -- feature channel
    channel_context_revision,
    -- end channel
    agent_id, runtime_id, issue_id, chat_session_id, autopilot_run_id, trigger_comment_id, priority, context,
    session_id, work_dir, max_attempts, attempt, parent_task_id, status, created_at
)
SELECT
    -- feature summary
    p.trigger_summary,
    -- end summary
    -- feature fresh
    NOT y.keeps_session OR (p.force_fresh_session AND p.session_id IS NULL),
    -- end fresh
    -- feature leader_task
    p.is_leader_task,
    -- end leader_task
    -- feature task_squad
    p.squad_id,
    -- end task_squad
    -- feature deferred
    CASE WHEN d.is_deferred THEN $2 + make_interval(
        secs => GREATEST(d.secs, CASE WHEN y.waits_for_runtime THEN 1::double precision END)
            * (1::double precision + y.jitter * random())
    ) END,
    -- end deferred
    -- feature originator
    p.originator_user_id,
    -- end originator
    -- feature accountable
    -- feature originator
    COALESCE(p.originator_user_id, p.accountable_user_id),
    -- end originator
    -- without originator
    --| p.accountable_user_id,
    -- end originator
    -- end accountable
    -- feature coalesced
    p.coalesced_comment_ids,
    -- end coalesced
    -- feature chat_input
    p.chat_input_task_id,
    -- end chat_input
    -- feature provenance
    p.originator_source, p.delegated_from_task_id, p.id, p.rule_version_id, p.trigger_evidence_kind, p.trigger_evidence_ref_id,
    -- end provenance
    -- feature channel
    p.channel_context_revision,
    -- end channel
    p.agent_id, a.runtime_id, p.issue_id, p.chat_session_id, p.autopilot_run_id, p.trigger_comment_id,
    CASE WHEN p.chat_session_id IS NULL THEN p.priority ELSE GREATEST(p.priority, 3, (
        -- feature own
        SELECT max(q.priority)
        -- end own
        -- without own
        --| SELECT LEAST(max(q.priority), 2147483646) + 1
        -- end own
        FROM agent_task_queue AS q
        WHERE q.chat_session_id = p.chat_session_id AND q.completed_at IS NULL AND q.status = 'queued'
    )) END,
    p.context,
    CASE
        WHEN y.keeps_session
            AND p.runtime_id = a.runtime_id
            -- feature rollout
            AND NOT p.session_rollout_missing
            -- end rollout
            -- feature retired
            AND (p.session_id IS DISTINCT FROM p.retired_session_id)
            -- end retired
            THEN p.session_id
    END,
    CASE WHEN y.keeps_session THEN p.work_dir END,
    d.ceiling, p.attempt + 1, p.id,
    -- feature deferred
    CASE WHEN d.is_deferred THEN 'deferred' ELSE 'queued' END,
    -- end deferred
    -- without deferred
    --| 'queued',
    -- end deferred
    -- feature own
    CASE WHEN p.chat_session_id IS NOT NULL THEN p.created_at ELSE
    -- end own
    $2 + make_interval(
        secs => 0.000001::double precision
            * (row_number() OVER (ORDER BY p.priority DESC, p.created_at, p.id))::double precision
    )
    -- feature own
    END
    -- end own
FROM agent_task_queue AS p
JOIN agent AS a ON a.id = p.agent_id
JOIN policy AS y ON y.reason IS NOT DISTINCT FROM p.failure_reason
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN y.max_attempts > 0 AND p.max_attempts > 1 THEN y.max_attempts ELSE p.max_attempts END AS ceiling,
        CASE WHEN p.attempt < y.delay_from_attempt THEN 0::double precision ELSE LEAST(
            y.delay_secs * power(y.backoff_factor, LEAST(p.attempt - y.delay_from_attempt, 60)::double precision),
            86400::double precision
        ) END AS secs
) AS c
CROSS JOIN LATERAL (
    SELECT
        c.ceiling,
        c.secs,
        -- feature own
        c.secs > 0::double precision AS is_deferred
        -- end own
        -- without own
        --| c.secs > 0::double precision OR y.waits_for_runtime AS is_deferred
        -- end own
) AS d
WHERE p.id = ANY ($1)
  AND p.status = 'failed'
  AND y.is_retried
  AND p.attempt < d.ceiling
  AND p.autopilot_run_id IS NULL
  AND (p.issue_id IS NOT NULL OR p.chat_session_id IS NOT NULL OR p.context IS NOT NULL)
  AND a.archived_at IS NULL
  AND a.runtime_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM agent_task_queue AS o WHERE o.parent_task_id = p.id)
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.issue_id = p.issue_id AND o.agent_id = p.agent_id
        AND (
            (o.id <> p.id AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred'))
            OR (o.completed_at > p.completed_at AND (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL))
            -- feature provenance
            OR o.retry_of_task_id = p.id
            -- end provenance
            -- feature deferred
            OR (
                d.is_deferred
                AND (
                    o.status = 'queued'
                    -- feature slot_of_media
                    OR (o.status = 'deferred' AND o.context ->> 'channel_issue_media_pending'::text = 'true')
                    -- end slot_of_media
                )
            )
            -- end deferred
        )
  )
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.chat_session_id = p.chat_session_id AND o.id <> p.id AND o.completed_at IS NULL
        AND (
            o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
            -- feature provenance
            OR o.retry_of_task_id = p.id
            -- end provenance
        )
  )
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS o
      WHERE o.chat_session_id = p.chat_session_id AND o.completed_at > p.completed_at
        AND (
            (o.status <> 'cancelled' OR o.dispatched_at IS NOT NULL)
            -- feature provenance
            OR o.retry_of_task_id = p.id
            -- end provenance
        )
  )
ORDER BY p.priority DESC, p.created_at, p.id
ON CONFLICT (issue_id, agent_id) WHERE status IN ('queued', 'dispatched') DO NOTHING
RETURNING id, agent_id, issue_id, runtime_id, chat_session_id, autopilot_run_id, parent_task_id, status, attempt, max_attempts,
    failure_reason, error

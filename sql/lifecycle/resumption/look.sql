-- Returns those of the tasks $1 that failed because their runtime or they themselves were silent, each with its retry, if it has exactly
-- one. $2 and $3: the failure_reason and the error of such a failure; a daemon that reports a failure of this reason itself passes
-- another error. is_taken: the process of the failed task has taken the retry over, so it has the claim of the retry. is_waiting: no
-- process has the retry. hindrance: why the process cannot take the retry over although it is waiting, NULL if it can. has_room: the
-- agent can have the retry in flight besides its other tasks; in the tables of a server, it has one task in flight that has neither
-- issue, chat nor run. process: the incarnation that has claimed the failed task; is_replaced: another one has registered the runtime
-- since. $5: the seconds after which a runtime needs a new sign of life at $4. Each look-up of other tasks has the ORDER BY of the one
-- index that it must use.
SELECT
    f.id AS task_id,
    f.dispatched_at AS claimed_at,
    f.runtime_id,
    f.agent_id,
    f.chat_session_id,
    r.id AS retry_id,
    r.dispatched_at AS retry_claimed_at,
    r.status IN ('queued', 'deferred') AS is_waiting,
    r.status IN ('dispatched', 'running', 'waiting_local_directory') AS is_in_flight,
    CASE
        WHEN a.archived_at IS NOT NULL THEN 'archived'
        WHEN (f.runtime_id = a.runtime_id AND f.runtime_id = r.runtime_id) IS NOT TRUE THEN 'moved'
        WHEN
            r.agent_id <> f.agent_id
            OR (r.issue_id IS DISTINCT FROM f.issue_id)
            OR (r.chat_session_id IS DISTINCT FROM f.chat_session_id)
            OR r.autopilot_run_id IS NOT NULL
            OR r.failure_reason IS NOT NULL
            -- without delivered
            --| OR (r.trigger_comment_id IS DISTINCT FROM f.trigger_comment_id)
            -- feature coalesced
            --| OR NOT (r.coalesced_comment_ids <@ f.coalesced_comment_ids)
            -- end coalesced
            -- end delivered
            THEN 'changed'
        WHEN (
            SELECT true
            FROM agent_task_queue AS o
            WHERE o.agent_id = r.agent_id
              AND o.issue_id = r.issue_id
              AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
            ORDER BY o.dispatched_at
            LIMIT 1
        ) THEN 'replaced'
        -- feature deferred
        WHEN
            r.status = 'deferred'
            AND EXISTS (
                SELECT FROM agent_task_queue AS o
                WHERE o.issue_id = r.issue_id AND o.agent_id = r.agent_id AND o.status = 'queued'
            )
            THEN 'replaced'
        -- end deferred
        WHEN (
            SELECT true
            FROM agent_task_queue AS o
            WHERE o.chat_session_id = r.chat_session_id
              AND o.completed_at IS NULL
              AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
            ORDER BY o.completed_at
            LIMIT 1
        ) THEN 'replaced'
    END AS hindrance,
    (
        SELECT count(*) < a.max_concurrent_tasks
        FROM (
            SELECT
            FROM agent_task_queue AS o
            WHERE o.agent_id = a.id AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
            ORDER BY o.dispatched_at
            LIMIT GREATEST(a.max_concurrent_tasks, 0)
        ) AS b
    )
    -- feature redis_era
    AND (
        r.issue_id IS NOT NULL
        OR r.chat_session_id IS NOT NULL
        OR (
            SELECT true
            FROM agent_task_queue AS o
            WHERE o.agent_id = a.id
              AND o.issue_id IS NULL
              AND o.chat_session_id IS NULL
              AND o.autopilot_run_id IS NULL
              AND o.status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')
            ORDER BY o.dispatched_at
            LIMIT 1
        ) IS NULL
    )
    -- end redis_era
    AS has_room,
    m.status <> 'online' OR COALESCE(m.last_seen_at < $4 - make_interval(secs => $5), true) AS needs_sign_of_life,
    m.status <> 'online'
    AND (m.metadata -> 'offline_reason'::text ->> 'code'::text = 'not_executable') IS TRUE AS is_not_executable,
    -- feature resumption
    COALESCE((
        SELECT i.resumed_task_id = f.id AND i.claimed_at = r.dispatched_at
        FROM multica_task_incarnation AS i
        WHERE i.task_id = r.id
    ), false) AS is_taken,
    p.incarnation AS process,
    COALESCE((
        SELECT n.incarnation <> p.incarnation FROM multica_runtime_incarnation AS n WHERE n.runtime_id = f.runtime_id
    ), false) AS is_replaced
    -- end resumption
    -- without resumption
    --| false AS is_taken,
    --| NULL::uuid AS process,
    --| false AS is_replaced
    -- end resumption
FROM agent_task_queue AS f
JOIN agent_task_queue AS r ON r.parent_task_id = f.id
JOIN agent AS a ON a.id = f.agent_id
JOIN agent_runtime AS m ON m.id = f.runtime_id
-- feature resumption
LEFT JOIN multica_task_incarnation AS p ON p.task_id = f.id AND p.claimed_at = f.dispatched_at
-- end resumption
WHERE f.id = ANY ($1)
  AND f.status = 'failed'
  AND f.dispatched_at IS NOT NULL
  AND EXISTS (SELECT FROM unnest($2, $3) AS w (reason, error) WHERE w.reason = f.failure_reason AND w.error = f.error)
  AND (SELECT count(*) FROM agent_task_queue AS o WHERE o.parent_task_id = f.id) = 1

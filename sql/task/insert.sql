-- Inserts nothing if the pending slot of (issue, agent) is taken. The conflict target is inferred from columns and predicate,
-- because every version of the schema has an index that matches them. A conflict with any other unique index is an error that names
-- the index. A deferred task ($14 is the time at which it is due) does not take the slot.
-- The task takes over the comments of the tasks $13, which it replaces. A queued task also takes over those of the deferred retries of
-- its issue and agent, which are cancelled because of it. If it has no comment of its own, its trigger is that of the task $22, which
-- it reruns, otherwise the newest of these comments. $20: whether a turn answers its own messages; otherwise it answers those of the
-- task $21. $23: the workspace of the agent, which a server expects in the context of a task that has no other source.
WITH
-- feature coalesced
replaced AS MATERIALIZED (
    SELECT COALESCE(o.id = $22, false) AS is_rerun, o.created_at, o.trigger_comment_id, o.coalesced_comment_ids
    FROM agent_task_queue AS o
    WHERE o.id = ANY ($13)
    -- feature deferred
    UNION ALL
    SELECT false, o.created_at, o.trigger_comment_id, o.coalesced_comment_ids
    FROM agent_task_queue AS o
    WHERE o.issue_id = $3
      AND o.agent_id = $1
      AND o.status = 'deferred'
      AND $14 IS NULL
      -- feature provenance
      AND o.retry_of_task_id IS NOT NULL
      -- end provenance
      -- without provenance
      --| AND o.parent_task_id IS NOT NULL
      -- end provenance
      -- feature escalation
      AND o.escalation_for_task_id IS NULL
      -- end escalation
      AND (o.context ->> 'channel_issue_media_pending'::text IS DISTINCT FROM 'true')
    -- end deferred
),
taken AS MATERIALIZED (
    SELECT DISTINCT ON (c.id) c.id, r.is_rerun, r.created_at, u.place
    FROM replaced AS r
    CROSS JOIN LATERAL pg_catalog.unnest(
        pg_catalog.array_append(r.coalesced_comment_ids, r.trigger_comment_id)
    ) WITH ORDINALITY AS u (comment_id, place)
    JOIN comment AS c ON c.id = u.comment_id
    ORDER BY c.id, r.is_rerun DESC, r.created_at DESC, u.place DESC
),
-- end coalesced
chosen AS MATERIALIZED (
    SELECT
        -- feature chat_input
        pg_catalog.gen_random_uuid() AS id,
        -- end chat_input
        -- feature coalesced
        COALESCE(
            $6, (SELECT k.id FROM taken AS k ORDER BY k.is_rerun DESC, k.created_at DESC, k.place DESC LIMIT 1)
        ) AS trigger_comment_id,
        -- end coalesced
        -- without coalesced
        --| COALESCE($6, (SELECT o.trigger_comment_id FROM agent_task_queue AS o WHERE o.id = $22)) AS trigger_comment_id,
        -- end coalesced
        COALESCE($9, (SELECT o.context FROM agent_task_queue AS o WHERE o.id = $22)) AS context
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
    -- feature initiator
    initiator_user_id,
    -- end initiator
    -- feature deferred
    fire_at,
    -- end deferred
    -- feature escalation
    escalation_for_task_id,
    -- end escalation
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
    id, chat_input_task_id,
    -- end chat_input
    -- feature provenance
    originator_source, delegated_from_task_id, rerun_of_task_id, rule_version_id, trigger_evidence_kind, trigger_evidence_ref_id,
    -- end provenance
    agent_id, runtime_id, issue_id, chat_session_id, autopilot_run_id, trigger_comment_id, status, priority, attempt,
    max_attempts, context, session_id, work_dir, created_at
)
SELECT
    -- feature summary
    (SELECT pg_catalog.substr(c.content, 1, 200) FROM comment AS c WHERE c.id = n.trigger_comment_id),
    -- end summary
    -- feature fresh
    $19,
    -- end fresh
    -- feature leader_task
    $17,
    -- end leader_task
    -- feature task_squad
    $16,
    -- end task_squad
    -- feature initiator
    $31,
    -- end initiator
    -- feature deferred
    $14,
    -- end deferred
    -- feature escalation
    $15,
    -- end escalation
    -- feature originator
    $24,
    -- end originator
    -- feature accountable
    $25,
    -- end accountable
    -- feature coalesced
    ARRAY(SELECT k.id FROM taken AS k WHERE k.id <> n.trigger_comment_id ORDER BY k.created_at, k.place),
    -- end coalesced
    -- feature chat_input
    n.id, CASE WHEN $20 THEN n.id ELSE $21 END,
    -- end chat_input
    -- feature provenance
    $26, $27, $18, $28, $29, $30,
    -- end provenance
    $1, $2, $3, $4, $5, n.trigger_comment_id,
    -- feature deferred
    CASE WHEN $14 IS NULL THEN 'queued' ELSE 'deferred' END,
    -- end deferred
    -- without deferred
    --| 'queued',
    -- end deferred
    $7, 1, $8,
    -- feature redis_era
    CASE
        WHEN $3 IS NULL AND $4 IS NULL AND $5 IS NULL
            AND pg_catalog.jsonb_typeof(n.context) = 'object' AND NOT n.context ? 'workspace_id'::text
            THEN n.context || pg_catalog.jsonb_build_object('workspace_id'::text, $23)
        ELSE n.context
    END,
    -- end redis_era
    -- without redis_era
    --| n.context,
    -- end redis_era
    $10, $11, $12
FROM chosen AS n
ON CONFLICT (issue_id, agent_id) WHERE status IN ('queued', 'dispatched') DO NOTHING
RETURNING id, agent_id, issue_id, runtime_id, chat_session_id, autopilot_run_id, parent_task_id, status, attempt, max_attempts,
    failure_reason, error

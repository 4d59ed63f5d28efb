-- Queues those of the tasks $1 that are still deferred. created_at and fire_at stay as they are. A task that is queued also answers the
-- comments of the deferred retries of its issue and agent, which are cancelled because of it. Its trigger stays as it is, because the
-- foreign key would lock another comment, and a sweep must not wait.
-- feature deferred
-- feature coalesced
WITH taken AS MATERIALIZED (
    SELECT DISTINCT ON (t.id, c.id) t.id AS task_id, c.id, o.created_at, u.place
    FROM agent_task_queue AS t
    JOIN agent_task_queue AS o ON o.issue_id = t.issue_id AND o.agent_id = t.agent_id
    CROSS JOIN LATERAL pg_catalog.unnest(
        pg_catalog.array_append(o.coalesced_comment_ids, o.trigger_comment_id)
    ) WITH ORDINALITY AS u (comment_id, place)
    JOIN comment AS c ON c.id = u.comment_id
    WHERE t.id = ANY ($1)
      AND t.status = 'deferred'
      AND o.id <> t.id
      AND o.status = 'deferred'
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
      AND (c.id = ANY (t.coalesced_comment_ids) OR c.id = t.trigger_comment_id) IS NOT TRUE
    ORDER BY t.id, c.id, o.created_at DESC, u.place DESC
)
-- end coalesced
-- end deferred
UPDATE agent_task_queue AS t
SET
    -- feature deferred
    -- feature coalesced
    coalesced_comment_ids = pg_catalog.array_cat(t.coalesced_comment_ids, ARRAY(
        SELECT k.id FROM taken AS k WHERE k.task_id = t.id ORDER BY k.created_at, k.place
    )),
    -- end coalesced
    -- end deferred
    status = 'queued'
WHERE t.id = ANY ($1) AND t.status = 'deferred'
RETURNING t.id, t.agent_id, t.issue_id, t.runtime_id, t.chat_session_id, t.autopilot_run_id, t.parent_task_id, t.status, t.attempt,
    t.max_attempts, t.failure_reason, t.error

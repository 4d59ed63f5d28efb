-- The comment $2 becomes the trigger of the waiting task $1, and the former trigger one of the comments that the task answers besides.
-- Attribution, summary and role follow the new trigger, so that nobody's comment is answered in the name of another user. What the
-- server prepared for the former user goes. Of the context, the keys that $3 does not have stay.
UPDATE agent_task_queue AS t
SET
    -- feature summary
    trigger_summary = (SELECT pg_catalog.substr(c.content, 1, 200) FROM comment AS c WHERE c.id = $2),
    -- end summary
    -- feature leader_task
    is_leader_task = t.is_leader_task OR $5,
    -- end leader_task
    -- feature task_squad
    squad_id = COALESCE($4, t.squad_id),
    -- end task_squad
    -- feature originator
    -- feature overlay
    runtime_mcp_overlay = CASE WHEN t.originator_user_id IS NOT DISTINCT FROM $6 THEN t.runtime_mcp_overlay END,
    -- end overlay
    -- feature connected_apps
    runtime_connected_apps = CASE WHEN t.originator_user_id IS NOT DISTINCT FROM $6 THEN t.runtime_connected_apps END,
    -- end connected_apps
    originator_user_id = $6,
    -- end originator
    -- feature accountable
    accountable_user_id = $7,
    -- end accountable
    -- feature provenance
    originator_source = $8,
    delegated_from_task_id = $9,
    rule_version_id = $10,
    trigger_evidence_kind = $11,
    trigger_evidence_ref_id = $12,
    -- end provenance
    -- feature initiator
    initiator_user_id = $13,
    -- end initiator
    -- feature coalesced
    coalesced_comment_ids = CASE
        WHEN t.trigger_comment_id IS NULL THEN t.coalesced_comment_ids
        ELSE pg_catalog.array_append(
            pg_catalog.array_remove(t.coalesced_comment_ids, t.trigger_comment_id), t.trigger_comment_id
        )
    END,
    -- end coalesced
    context = CASE
        WHEN t.context IS NULL THEN $3
        WHEN pg_catalog.jsonb_typeof(t.context) = 'object' AND pg_catalog.jsonb_typeof($3) = 'object' THEN t.context || $3
        ELSE t.context
    END,
    trigger_comment_id = $2
WHERE t.id = $1 AND t.status IN ('queued', 'deferred')

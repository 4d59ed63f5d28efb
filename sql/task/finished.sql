-- Returns what a rerun takes from the task $1.
SELECT
    -- feature leader_task
    t.is_leader_task,
    -- end leader_task
    -- without leader_task
    --| false AS is_leader_task,
    -- end leader_task
    -- feature task_squad
    t.squad_id,
    -- end task_squad
    -- without task_squad
    --| NULL::uuid AS squad_id,
    -- end task_squad
    -- feature chat_input
    t.chat_input_task_id,
    -- end chat_input
    -- without chat_input
    --| NULL::uuid AS chat_input_task_id,
    -- end chat_input
    t.agent_id, t.issue_id, t.chat_session_id, t.autopilot_run_id, t.trigger_comment_id, t.status, t.priority, t.max_attempts,
    t.context IS NOT NULL AS has_context
FROM agent_task_queue AS t
WHERE t.id = $1

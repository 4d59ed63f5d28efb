-- Stores in the chat where its last turn ended, with what was pinned during the turn; an empty field keeps its value.
UPDATE chat_session AS c
SET
    -- feature chat_runtime
    runtime_id = CASE WHEN t.session_id IS NULL THEN c.runtime_id ELSE t.runtime_id END,
    -- end chat_runtime
    session_id = COALESCE(t.session_id, c.session_id),
    work_dir = COALESCE(t.work_dir, c.work_dir),
    updated_at = $2
FROM agent_task_queue AS t
WHERE t.id = $1 AND c.id = t.chat_session_id

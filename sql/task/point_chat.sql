-- The chat remembers where its last turn ended; an empty argument keeps what it knows.
UPDATE chat_session AS c
SET session_id = COALESCE(NULLIF($2, ''), c.session_id), work_dir = COALESCE(NULLIF($3, ''), c.work_dir), updated_at = $4
WHERE c.id = (SELECT t.chat_session_id FROM agent_task_queue AS t WHERE t.id = $1)

-- Returns what a task takes from its chat. is_of_channel: the server receives the messages of the chat from a channel, which its newest
-- task and its newest message of a user show.
SELECT
    -- feature chat_runtime
    c.status = 'archived' AS is_archived,
    -- end chat_runtime
    -- without chat_runtime
    --| false AS is_archived,
    -- end chat_runtime
    (
        false
        -- feature channel
        OR (
            SELECT o.channel_context_revision IS NOT NULL
            FROM agent_task_queue AS o
            WHERE o.chat_session_id = c.id
            ORDER BY o.completed_at DESC
            LIMIT 1
        ) IS TRUE
        -- end channel
        -- feature channel_message
        OR (
            SELECT m.channel_ingested
            FROM chat_message AS m
            WHERE m.chat_session_id = c.id AND m.role = 'user'
            ORDER BY m.created_at DESC
            LIMIT 1
        ) IS TRUE
        -- end channel_message
    ) AS is_of_channel,
    c.workspace_id, c.agent_id
FROM chat_session AS c
WHERE c.id = $1

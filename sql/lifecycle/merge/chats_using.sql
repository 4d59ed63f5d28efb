-- Returns the chat sessions that can be resumed on the runtimes $1, each with its runtime.
SELECT
    -- feature chat_runtime
    c.runtime_id,
    -- end chat_runtime
    -- without chat_runtime
    --| NULL::uuid AS runtime_id,
    -- end chat_runtime
    c.id
FROM chat_session AS c
WHERE
    -- feature chat_runtime
    c.runtime_id = ANY ($1)
    -- end chat_runtime
    -- without chat_runtime
    --| false
    -- end chat_runtime

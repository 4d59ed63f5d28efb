-- Lets the chat sessions $1, which the caller has locked, resume on the new runtimes. There is such a session only where the table
-- has the column.
UPDATE chat_session AS c SET runtime_id = m.new_id
FROM unnest($2, $3) AS m (old_id, new_id)
WHERE c.id = ANY ($1) AND c.runtime_id = m.old_id

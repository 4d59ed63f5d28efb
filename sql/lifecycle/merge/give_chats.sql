-- Gives the chat sessions of the system agents $1 to the system agents $2.
UPDATE chat_session AS c SET agent_id = j.kept
FROM unnest($1, $2) AS j (id, kept)
WHERE c.agent_id = j.id AND c.agent_id = ANY ($1)

-- Gives the chat sessions of the system agents $1 to the system agents $2.
UPDATE chat_session AS c SET agent_id = j.kept
FROM agent AS a
JOIN unnest($1, $2) AS j (id, kept) ON j.id = a.id
WHERE a.id = ANY ($1) AND c.workspace_id = a.workspace_id AND c.agent_id = a.id

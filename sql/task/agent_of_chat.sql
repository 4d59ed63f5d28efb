SELECT c.agent_id FROM chat_session AS c WHERE c.id = $1

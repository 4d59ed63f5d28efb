SELECT c.id FROM chat_session AS c WHERE c.id = ANY ($1) ORDER BY c.id FOR NO KEY UPDATE

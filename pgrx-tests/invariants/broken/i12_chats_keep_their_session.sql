UPDATE chat_session SET session_id = 'kept';
UPDATE chat_session SET session_id = NULL WHERE title = 'chat 1';

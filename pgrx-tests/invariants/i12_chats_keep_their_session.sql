-- The end of a turn never erases the session of its chat.
SELECT chat_session FROM erased;

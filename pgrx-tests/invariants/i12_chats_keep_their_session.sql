-- No end of a turn erases the session of its chat.
SELECT chat_session FROM erased;

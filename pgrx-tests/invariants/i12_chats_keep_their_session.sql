-- No end of a turn erases where its chat resumes.
SELECT chat_session FROM erased;

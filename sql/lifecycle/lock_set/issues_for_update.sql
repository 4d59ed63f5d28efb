-- Waits also for sessions that have inserted a task of these issues and have not committed, because try_rows.sql does not lock the
-- issues before.
SELECT i.id FROM issue AS i WHERE i.id = ANY ($1) ORDER BY i.id FOR UPDATE

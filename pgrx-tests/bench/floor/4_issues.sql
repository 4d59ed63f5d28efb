CREATE TEMP TABLE reset ON COMMIT DROP AS
WITH u AS (
    UPDATE issue AS i SET status = 'todo', updated_at = now()
    WHERE i.id IN (SELECT f.issue_id FROM failed AS f)
      AND i.status = 'in_progress'
      AND NOT EXISTS (SELECT FROM agent_task_queue AS o WHERE o.issue_id = i.id AND o.status IN ('queued', 'dispatched', 'running'))
    RETURNING i.*
)
SELECT * FROM u

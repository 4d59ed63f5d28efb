CREATE TEMP TABLE reset ON COMMIT DROP AS
WITH u AS (
    UPDATE issue AS i SET status = 'todo', updated_at = now()
    WHERE i.status = 'in_progress'
      AND i.id IN (
          SELECT f.issue_id FROM failed AS f
          EXCEPT
          SELECT o.issue_id FROM agent_task_queue AS o WHERE o.status IN ('queued', 'dispatched', 'running')
      )
    RETURNING i.*
)
SELECT * FROM u;
ANALYZE reset

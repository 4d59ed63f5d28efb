-- Workspaces define statuses, each with a category.
CREATE TEMP TABLE reset ON COMMIT DROP AS
WITH u AS (
    UPDATE issue AS i
    SET status = 'todo', updated_at = now(), revision = i.revision + 1,
        last_activity_at = GREATEST(COALESCE(i.last_activity_at, i.updated_at), now())
    FROM issue AS b
    WHERE b.id = i.id
      AND (b.status = 'in_progress' OR EXISTS (
          SELECT FROM issue_status AS s
          WHERE s.workspace_id = b.workspace_id AND s.key = b.status AND s.category = 'in_progress' AND NOT s.is_system
      ))
      AND i.id IN (
          SELECT f.issue_id FROM failed AS f
          EXCEPT
          SELECT o.issue_id FROM agent_task_queue AS o
          WHERE o.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
      )
    RETURNING i.*, b.status AS prev_status
)
SELECT * FROM u;
ANALYZE reset

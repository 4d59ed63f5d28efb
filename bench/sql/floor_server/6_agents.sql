CREATE TEMP TABLE reconciled ON COMMIT DROP AS
WITH u AS (
    UPDATE agent AS a SET status = 'idle', updated_at = now()
    WHERE a.status <> 'idle'
      AND a.id IN (
          SELECT f.agent_id FROM failed AS f
          EXCEPT
          SELECT o.agent_id FROM agent_task_queue AS o WHERE o.status IN ('dispatched', 'running')
      )
    RETURNING a.*
)
SELECT * FROM u;
ANALYZE reconciled

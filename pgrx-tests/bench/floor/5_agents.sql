CREATE TEMP TABLE reconciled ON COMMIT DROP AS
WITH u AS (
    UPDATE agent AS a SET status = 'idle', updated_at = now()
    WHERE a.id IN (SELECT f.agent_id FROM failed AS f)
      AND a.status <> 'idle'
      AND NOT EXISTS (SELECT FROM agent_task_queue AS o WHERE o.agent_id = a.id AND o.status IN ('dispatched', 'running'))
    RETURNING a.*
)
SELECT * FROM u

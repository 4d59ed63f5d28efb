-- An issue is in progress only while one of its tasks is active, or if its last ended task completed or was cancelled.
SELECT i.id, i.title, l.status AS ended_last
FROM issue AS i
LEFT JOIN LATERAL (
    SELECT t.status FROM agent_task_queue AS t
    WHERE t.issue_id = i.id ORDER BY t.completed_at DESC NULLS LAST LIMIT 1
) AS l ON true
WHERE i.status = 'in_progress'
  AND NOT EXISTS (
      SELECT FROM agent_task_queue AS t
      WHERE t.issue_id = i.id AND t.status NOT IN ('completed', 'failed', 'cancelled')
  )
  AND COALESCE(l.status, 'none') NOT IN ('completed', 'cancelled');

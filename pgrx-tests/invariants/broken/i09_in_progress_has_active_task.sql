INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, completed_at)
SELECT a.id, a.runtime_id, i.id, s, now() + at FROM agent AS a, issue AS i,
    (VALUES ('completed', interval '0'), ('failed', interval '1 second')) AS v (s, at)
WHERE a.name = 'agent 1' AND i.number = 1;
UPDATE issue SET status = 'in_progress' WHERE number = 1;

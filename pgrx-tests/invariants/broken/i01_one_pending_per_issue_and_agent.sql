DROP INDEX idx_one_pending_task_per_issue_agent;
INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id)
SELECT a.id, a.runtime_id, i.id FROM agent AS a, issue AS i, generate_series(1, 2) WHERE a.name = 'agent 1' AND i.number = 1;

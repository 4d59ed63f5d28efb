INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, dispatched_at)
SELECT a.id, a.runtime_id, i.id, 'dispatched', now() FROM agent AS a, issue AS i WHERE a.name = 'agent 1' AND i.title = 'foreign';

INSERT INTO agent_task_queue (agent_id, runtime_id, autopilot_run_id)
SELECT a.id, a.runtime_id, r.id FROM agent AS a, (SELECT id FROM autopilot_run LIMIT 1) AS r WHERE a.name = 'agent 1';

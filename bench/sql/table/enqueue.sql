-- A minimal queue without rules and events on multica's table of tasks, with all its indexes, checks and foreign keys.
-- An agent of the fleet has the id of its runtime.
INSERT INTO agent_task_queue (agent_id, runtime_id, context) VALUES (:worker, :worker, '{"n": 1}') RETURNING id

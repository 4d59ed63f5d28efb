-- What a queue without rules and without events would do on the task table of multica, with all the indexes, checks and
-- foreign keys that it has there. An agent of the fleet has its runtime's id.
INSERT INTO agent_task_queue (agent_id, runtime_id, context) VALUES (:worker, :worker, '{"n": 1}') RETURNING id

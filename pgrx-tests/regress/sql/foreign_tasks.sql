-- An agent was moved to a runtime of another workspace. A claim cancels the agent's tasks instead of returning them, at
-- most a few batches per claim.
\set QUIET on
\pset format unaligned
\pset tuples_only on
INSERT INTO workspace (name, slug) VALUES ('w', 'w') RETURNING id AS workspace \gset
INSERT INTO workspace (name, slug) VALUES ('v', 'v') RETURNING id AS other \gset
SELECT id AS runtime FROM multica_register(:'workspace', '{"daemon_id": "d", "runtimes": [{"type": "claude"}]}') \gset
INSERT INTO agent (workspace_id, name, runtime_id) VALUES (:'other', 'a', :'runtime') RETURNING id AS agent \gset
INSERT INTO agent_task_queue (agent_id, runtime_id) SELECT :'agent', :'runtime' FROM generate_series(1, 30);
SELECT count(*) FROM multica_claim(:'runtime', 2);
SELECT status, count(*) FROM agent_task_queue GROUP BY status ORDER BY status;
SELECT count(*) FROM multica_claim(:'runtime', 100);
SELECT status, count(*) FROM agent_task_queue GROUP BY status ORDER BY status;
SELECT type, count(*) FROM multica_events() WHERE type LIKE 'task:%' GROUP BY type ORDER BY type;

-- A runtime that no agent uses is collected after all its ended tasks were moved, in as many batches as that takes.
\set QUIET on
\pset format unaligned
\pset tuples_only on
INSERT INTO workspace (name, slug) VALUES ('w', 'w') RETURNING id AS workspace \gset
INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
    VALUES (:'workspace', 'old', 'old', 'local', 'claude', 'offline', now() - interval '30 days') RETURNING id AS old \gset
SELECT id AS new FROM multica_register(:'workspace', '{"daemon_id": "new", "runtimes": [{"type": "claude"}]}') \gset
INSERT INTO agent (workspace_id, name, runtime_id) VALUES (:'workspace', 'a', :'new') RETURNING id AS agent \gset
INSERT INTO agent_task_queue (agent_id, runtime_id, status, completed_at)
    SELECT :'agent', :'old', 'completed', now() FROM generate_series(1, 57);
SET multica.batch_size = 10;
CALL multica_sweep_all();
SELECT count(*) FROM agent_runtime WHERE id = :'old';
SELECT runtime_id = :'new', count(*) FROM agent_task_queue GROUP BY 1;

-- Creates 32 machines with one runtime and one agent each, all in one workspace. An agent has the id of its runtime.
WITH w AS (
    INSERT INTO workspace (name, slug) VALUES ('w', 'w') RETURNING id
), r AS (
    INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
    SELECT w.id, 'machine-' || n, 'claude', 'local', 'claude', 'online', now() FROM w CROSS JOIN generate_series(1, 32) AS n
    RETURNING id, workspace_id
)
INSERT INTO agent (id, workspace_id, name, runtime_mode, runtime_id, max_concurrent_tasks)
SELECT r.id, r.workspace_id, 'agent-' || r.id, 'local', r.id, 100 FROM r

-- Creates $1 runtimes of one workspace.
WITH w AS (INSERT INTO workspace (name, slug) VALUES ('w', 'w') RETURNING id)
INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, w.id, 'machine-' || n, 'claude', 'local', 'claude', 'online', now()
FROM w CROSS JOIN generate_series(1, $1::bigint) AS n

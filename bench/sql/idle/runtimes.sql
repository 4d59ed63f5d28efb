-- Creates the runtimes number $1 to $2, all online with a heartbeat just now.
INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
SELECT w.id, 'idle-' || n, 'claude', 'local', 'claude', 'online', now()
FROM workspace AS w CROSS JOIN generate_series($1::bigint, $2::bigint) AS n

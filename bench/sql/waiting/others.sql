-- Creates 1,000 runtimes with one agent each, and $1 queued and $1 deferred tasks of these agents. Half of the deferred tasks are due.
WITH r AS (
    INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
    SELECT w.id, 'other-' || n, 'claude', 'local', 'claude', 'online', now()
    FROM workspace AS w CROSS JOIN generate_series(1, 1000) AS n
    RETURNING id, workspace_id
), a AS (
    INSERT INTO agent (workspace_id, name, runtime_mode, runtime_id)
    SELECT r.workspace_id, 'agent-' || r.id, 'local', r.id FROM r
    RETURNING id, runtime_id
), numbered AS (
    SELECT a.*, row_number() OVER () - 1 AS number FROM a
)
INSERT INTO agent_task_queue (agent_id, runtime_id, status, fire_at, context)
SELECT
    a.id, a.runtime_id, s.status,
    CASE WHEN s.status = 'deferred' THEN now() + CASE WHEN n % 2 = 0 THEN interval '1 day' ELSE interval '-1 day' END END,
    '{}'
FROM generate_series(1, $1::bigint) AS n
JOIN numbered AS a ON a.number = (n / 2) % 1000
CROSS JOIN (VALUES ('queued'), ('deferred')) AS s (status)

-- Creates $1 orphans on $2 runtimes of ten workspaces; every second orphan is at its last attempt. Agents without a
-- task are idle, because only a sweep would reconcile them if they were not.
WITH w AS (
    INSERT INTO workspace (name, slug)
    SELECT 'w' || n, 'w' || n FROM generate_series(0, 9) AS n
    RETURNING id
), numbered AS (
    SELECT w.id, row_number() OVER (ORDER BY w.id) - 1 AS place FROM w
), r AS (
    INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
    SELECT w.id, 'machine-' || n, 'claude', 'local', 'claude', 'online', now() - interval '10 minutes'
    FROM generate_series(1, $2::bigint) AS n
    JOIN numbered AS w ON w.place = n % 10
    RETURNING id, workspace_id
), a AS (
    INSERT INTO agent (workspace_id, name, runtime_mode, runtime_id, status)
    SELECT r.workspace_id, 'agent-' || r.place, 'local', r.id, CASE WHEN r.place < $1::bigint THEN 'working' ELSE 'idle' END
    FROM (SELECT r.id, r.workspace_id, row_number() OVER (ORDER BY r.id) - 1 AS place FROM r) AS r
    RETURNING id, workspace_id, runtime_id, name
), placed AS (
    SELECT a.id, a.workspace_id, split_part(a.name, '-', 2)::bigint AS place FROM a
), i AS (
    INSERT INTO issue (workspace_id, title, status, creator_type, creator_id, number, assignee_type, assignee_id)
    SELECT p.workspace_id, 'issue', 'in_progress', 'agent', p.id, n, 'agent', p.id
    FROM generate_series(1, $1::bigint) AS n
    JOIN placed AS p ON p.place = (n - 1) % $2::bigint
    RETURNING id, assignee_id, number
)
INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, dispatched_at, started_at, session_id, work_dir, attempt)
SELECT a.id, a.runtime_id, i.id, 'running', now() - interval '9 minutes', now() - interval '8 minutes',
       'session-' || i.number, '/srv/' || i.number, 1 + (i.number / 2) % 2
FROM i JOIN a ON a.id = i.assignee_id

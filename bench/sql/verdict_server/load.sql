-- As verdict/load.sql, in the tables of a server of today: the runtimes were silent for longer than the grace, each task has the
-- person who wanted it, and a token with which its agent authenticates, and every workspace has the built-in statuses and five of its
-- own.
WITH u AS (
    INSERT INTO "user" (name, email) VALUES ('Ada', 'ada@example.com') RETURNING id
), w AS (
    INSERT INTO workspace (name, slug)
    SELECT 'w' || n, 'w' || n FROM generate_series(0, 9) AS n
    RETURNING id
), s AS (
    INSERT INTO issue_status (workspace_id, key, name, category, color, is_system)
    SELECT w.id, k.key, k.key, k.category, '#888888', k.key = k.category
    FROM w
    CROSS JOIN (
        SELECT key, key FROM unnest('{backlog,todo,in_progress,in_review,done,blocked,cancelled}'::text[]) AS b (key)
        UNION ALL
        SELECT 'own_' || n, 'in_progress' FROM generate_series(1, 5) AS n
    ) AS k (key, category)
), numbered AS (
    SELECT w.id, row_number() OVER (ORDER BY w.id) - 1 AS place FROM w
), r AS (
    INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
    SELECT w.id, 'machine-' || n, 'claude', 'local', 'claude', 'online', now() - interval '4 hours'
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
    SELECT p.workspace_id, 'issue', CASE WHEN n % 10 = 0 THEN 'own_1' ELSE 'in_progress' END, 'agent', p.id, n, 'agent', p.id
    FROM generate_series(1, $1::bigint) AS n
    JOIN placed AS p ON p.place = (n - 1) % $2::bigint
    RETURNING id, assignee_id, number
), t AS (
    INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, dispatched_at, started_at, session_id, work_dir, attempt,
                                  originator_user_id, accountable_user_id, originator_source, trigger_evidence_kind)
    SELECT a.id, a.runtime_id, i.id, 'running', now() - interval '230 minutes', now() - interval '229 minutes',
           'session-' || i.number, '/srv/' || i.number, 1 + (i.number / 2) % 2,
           u.id, u.id, 'direct_human', 'issue_assignment'
    FROM i JOIN a ON a.id = i.assignee_id CROSS JOIN u
    RETURNING id, agent_id, issue_id
)
INSERT INTO task_token (token_hash, task_id, agent_id, workspace_id, user_id, expires_at)
SELECT 'hash of ' || t.id, t.id, t.agent_id, a.workspace_id, u.id, now() + interval '1 day'
FROM t JOIN a ON a.id = t.agent_id CROSS JOIN u

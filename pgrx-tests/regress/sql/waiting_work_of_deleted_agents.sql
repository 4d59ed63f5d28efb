-- A runtime is deleted with its archived agents. The agents' queued tasks are cancelled, their tasks in flight are
-- failed, and no issue stays in progress without an active task.
\set QUIET on
\pset format unaligned
\pset tuples_only on
INSERT INTO workspace (name, slug) VALUES ('w', 'w') RETURNING id AS workspace \gset
SELECT id AS runtime FROM multica_register(:'workspace', '{"daemon_id": "d", "runtimes": [{"type": "claude"}]}') \gset
INSERT INTO agent (workspace_id, name, runtime_id) VALUES (:'workspace', 'a', :'runtime') RETURNING id AS agent \gset
INSERT INTO agent (workspace_id, name, runtime_id) VALUES (:'workspace', 'b', :'runtime') RETURNING id AS colleague \gset
INSERT INTO issue (workspace_id, title, status, assignee_type, assignee_id, creator_type, creator_id)
    SELECT :'workspace', title, 'in_progress', 'agent', :'agent', 'agent', :'agent' FROM unnest(ARRAY['waiting', 'both']) AS title;
INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id) SELECT :'agent', :'runtime', id FROM issue;
INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, dispatched_at, started_at)
    SELECT :'colleague', :'runtime', id, 'running', now(), now() FROM issue WHERE title = 'both';
UPDATE agent SET archived_at = now();
SELECT * FROM multica_delete_runtime(:'runtime');
SELECT title, status FROM issue ORDER BY title;
SELECT type, count(*) FROM multica_events() GROUP BY type ORDER BY type;

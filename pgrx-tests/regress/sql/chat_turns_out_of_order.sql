-- A chat resumes from its last session. So the retry of a turn is claimed before later turns, whatever their priority,
-- also with the lowest possible priority.
\set QUIET on
\pset format unaligned
\pset tuples_only on
INSERT INTO workspace (name, slug) VALUES ('w', 'w') RETURNING id AS workspace \gset
INSERT INTO "user" (name, email) VALUES ('u', 'u') RETURNING id AS person \gset
SELECT id AS runtime FROM multica_register(:'workspace', '{"daemon_id": "d", "runtimes": [{"type": "claude"}]}') \gset
INSERT INTO agent (workspace_id, name, runtime_id) VALUES (:'workspace', 'a', :'runtime') RETURNING id AS agent \gset
INSERT INTO chat_session (workspace_id, agent_id, creator_id) VALUES (:'workspace', :'agent', :'person') RETURNING id AS chat \gset
SELECT task_id AS first FROM multica_enqueue_chat(:'chat', priority => 7) \gset
SELECT task_id AS second FROM multica_enqueue_chat(:'chat', priority => 7) \gset
SELECT task_id AS third FROM multica_enqueue_chat(:'chat', priority => -2147483648) \gset
SELECT id = :'first' AS the_first FROM multica_claim(:'runtime', 100);
SELECT status FROM multica_start(:'first');
SELECT multica_pin_session(:'first', 'session-1', '/srv');
SELECT retry_task_id AS retry FROM multica_fail(:'first', 'gone', 'timeout') \gset
SELECT id = :'retry' AS the_retry, prior_session_id FROM multica_claim(:'runtime', 100);
SELECT status FROM multica_start(:'retry');
SELECT status FROM multica_complete(:'retry');
SELECT id = :'second' AS the_second FROM multica_claim(:'runtime', 100);

-- The errors of all functions on tasks for invalid arguments: SQLSTATE, message, detail and hint.
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
CREATE FUNCTION id(label text) RETURNS uuid IMMUTABLE LANGUAGE sql
    AS $$ SELECT ('00000000-0000-4000-8000-0000000000' || label)::uuid $$;
CREATE FUNCTION refused(call text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT FROM ' || call;
    state := 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
INSERT INTO workspace (id, name, slug) VALUES (id('a1'), 'w', 'w'), (id('a2'), 'v', 'v');
INSERT INTO "user" (id, name, email) VALUES (id('f1'), 'u', 'u');
INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status)
    VALUES (id('b1'), id('a1'), 'd', 'd', 'local', 'claude', 'online'), (id('b2'), id('a2'), 'd', 'd', 'local', 'claude', 'online');
INSERT INTO agent (id, workspace_id, name, runtime_mode, runtime_id, archived_at)
    VALUES (id('c1'), id('a1'), 'a', 'local', id('b1'), NULL), (id('c2'), id('a1'), 'gone', 'local', id('b1'), now()),
           (id('c9'), id('a2'), 'b', 'local', id('b2'), NULL);
INSERT INTO issue (id, workspace_id, title, assignee_type, assignee_id, creator_type, creator_id, number)
    VALUES (id('d1'), id('a1'), 'agent', 'agent', id('c1'), 'member', id('f1'), 1),
           (id('d2'), id('a1'), 'nobody', NULL, NULL, 'member', id('f1'), 2),
           (id('d3'), id('a1'), 'member', 'member', id('f1'), 'member', id('f1'), 3),
           (id('d4'), id('a1'), 'archived', 'agent', id('c2'), 'member', id('f1'), 4),
           (id('d5'), id('a1'), 'foreign', 'agent', id('c9'), 'member', id('f1'), 5),
           (id('d6'), id('a1'), 'unknown', 'agent', id('cf'), 'member', id('f1'), 6);
INSERT INTO comment (id, issue_id, workspace_id, author_type, author_id, content)
    VALUES (id('81'), id('d2'), id('a1'), 'member', id('f1'), 'c');
INSERT INTO chat_session (id, workspace_id, agent_id, creator_id)
    VALUES (id('51'), id('a1'), id('c1'), id('f1')), (id('52'), id('a1'), id('c2'), id('f1')), (id('59'), id('a2'), id('c9'), id('f1'));
INSERT INTO autopilot (id, workspace_id, title, assignee_id, created_by_type, created_by_id)
    VALUES (id('61'), id('a1'), 'p', id('c1'), 'member', id('f1'));
INSERT INTO autopilot_run (id, autopilot_id, source, status)
    VALUES (id('71'), id('61'), 'manual', 'running'), (id('72'), id('61'), 'manual', 'completed');
INSERT INTO agent_task_queue (id, agent_id, runtime_id, status, dispatched_at)
    VALUES (id('e1'), id('c1'), id('b1'), 'queued', NULL), (id('e2'), id('c1'), id('b1'), 'dispatched', '2026-01-01');

\echo NULL for a required argument
SELECT call, r.* FROM unnest(ARRAY[
    'multica_enqueue(NULL)', 'multica_enqueue(id(''c1''), NULL)', 'multica_enqueue(id(''c1''), priority => NULL)',
    'multica_enqueue(id(''c1''), max_attempts => NULL)',
    'multica_enqueue_issue(NULL)', 'multica_enqueue_mention(NULL, id(''c1''))', 'multica_enqueue_mention(id(''d1''), NULL)',
    'multica_enqueue_chat(NULL)', 'multica_enqueue_autopilot(NULL)',
    'multica_claim(NULL)', 'multica_claim(id(''b1''), NULL)',
    'multica_start(NULL)', 'multica_complete(NULL)', 'multica_fail(NULL, ''x'')', 'multica_fail(id(''e2''), NULL)',
    'multica_pin_session(NULL, ''s'')', 'multica_cancel(NULL)', 'multica_cancel_issue_tasks(NULL)',
    'multica_cancel_agent_tasks(NULL)', 'multica_retry(NULL)', 'multica_rerun(NULL)',
    'multica_last_task_session(NULL, id(''c1''))', 'multica_last_task_session(id(''d1''), NULL)', 'multica_last_chat_session(NULL)',
    'multica_get_task(NULL)', 'multica_list_pending_tasks(NULL)', 'multica_list_issue_tasks(NULL)', 'multica_list_agent_tasks(NULL)',
    'multica_has_active_task(NULL)', 'multica_has_pending_task(NULL)', 'multica_count_running_tasks(NULL)', 'multica_reconcile_agent(NULL)'
]) AS call, refused(call) AS r;

\echo unknown ids
SELECT call, r.* FROM unnest(ARRAY[
    'multica_enqueue(id(''00''))', 'multica_enqueue_issue(id(''00''))', 'multica_enqueue_mention(id(''00''), id(''c1''))',
    'multica_enqueue_mention(id(''d1''), id(''00''))', 'multica_enqueue_chat(id(''00''))', 'multica_enqueue_autopilot(id(''00''))',
    'multica_enqueue_issue(id(''d1''), id(''00''))', 'multica_enqueue_chat(id(''51''), id(''00''))',
    'multica_enqueue_autopilot(id(''71''), id(''00''))', 'multica_enqueue_issue(id(''d6''))',
    'multica_claim(id(''00''))', 'multica_start(id(''00''))', 'multica_complete(id(''00''))', 'multica_fail(id(''00''), ''x'')',
    'multica_pin_session(id(''00''), ''s'')', 'multica_cancel(id(''00''))', 'multica_cancel_issue_tasks(id(''00''))',
    'multica_cancel_issue_tasks(id(''d1''), id(''00''))', 'multica_cancel_agent_tasks(id(''00''))', 'multica_retry(id(''00''))',
    'multica_rerun(id(''00''))', 'multica_rerun(id(''d1''), id(''00''))',
    'multica_has_active_task(id(''00''))', 'multica_has_pending_task(id(''00''))', 'multica_has_pending_task(id(''d1''), id(''00''))',
    'multica_count_running_tasks(id(''00''))', 'multica_reconcile_agent(id(''00''))'
]) AS call, refused(call) AS r;

\echo lookups of unknown ids return no row
SELECT call, r.* FROM unnest(ARRAY[
    'multica_get_task(id(''00''))', 'multica_list_pending_tasks(id(''00''))', 'multica_list_issue_tasks(id(''00''))',
    'multica_list_agent_tasks(id(''00''))', 'multica_last_task_session(id(''00''), id(''c1''))', 'multica_last_chat_session(id(''00''))'
]) AS call, refused(call) AS r;

\echo rows of another workspace or issue
SELECT call, r.* FROM unnest(ARRAY[
    'multica_enqueue_mention(id(''d1''), id(''c9''))', 'multica_enqueue_issue(id(''d5''))',
    'multica_enqueue_issue(id(''d1''), id(''81''))', 'multica_enqueue_chat(id(''59''), id(''81''))', 'multica_rerun(id(''d5''))',
    'multica_rerun(id(''d1''), id(''81''))'
]) AS call, refused(call) AS r;

\echo numbers out of range
SELECT call, r.* FROM unnest(ARRAY[
    'multica_enqueue(id(''c1''), max_attempts => 0)', 'multica_enqueue_issue(id(''d1''), max_attempts => -1)',
    'multica_enqueue_mention(id(''d1''), id(''c1''), max_attempts => 0)', 'multica_enqueue_chat(id(''51''), max_attempts => 0)',
    'multica_enqueue_autopilot(id(''71''), max_attempts => 0)', 'multica_claim(id(''b1''), -1)',
    'multica_list_issue_tasks(id(''d1''), -1)', 'multica_list_agent_tasks(id(''c1''), -1)'
]) AS call, refused(call) AS r;

\echo empty texts
SELECT call, r.* FROM unnest(ARRAY[
    'multica_pin_session(id(''e2''))', 'multica_pin_session(id(''e2''), '''', '''')'
]) AS call, refused(call) AS r;

\echo wrong states
SELECT call, r.* FROM unnest(ARRAY[
    'multica_enqueue(id(''c2''))', 'multica_enqueue_issue(id(''d2''))', 'multica_enqueue_issue(id(''d3''))',
    'multica_enqueue_issue(id(''d4''))', 'multica_enqueue_mention(id(''d1''), id(''c2''))', 'multica_enqueue_chat(id(''52''))',
    'multica_enqueue_autopilot(id(''72''))', 'multica_rerun(id(''d2''))', 'multica_rerun(id(''d3''))', 'multica_rerun(id(''d4''))',
    'multica_start(id(''e1''))', 'multica_complete(id(''e1''))', 'multica_fail(id(''e1''), ''x'')', 'multica_complete(id(''e2''))',
    'multica_start(id(''e2''), 1)', 'multica_complete(id(''e2''), claim_token => 1)', 'multica_fail(id(''e2''), ''x'', claim_token => 1)',
    'multica_pin_session(id(''e2''), ''s'', claim_token => 1)'
]) AS call, refused(call) AS r;

\echo none of the calls has written anything
SELECT status, count(*) FROM agent_task_queue GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM multica_event_log;

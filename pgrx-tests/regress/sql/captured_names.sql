-- Objects in the extension's own schema match a call better than those of pg_catalog, but none of them is ever called.
\set QUIET on
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION trapped(what text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured: %', what; END $$;
CREATE FUNCTION trap_numeric_integer(numeric, integer) RETURNS numeric LANGUAGE plpgsql
    AS $$ BEGIN PERFORM trapped('numeric * integer'); RETURN 1; END $$;
CREATE OPERATOR * (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = trap_numeric_integer);
CREATE FUNCTION trap_numeric_bigint(numeric, bigint) RETURNS numeric LANGUAGE plpgsql
    AS $$ BEGIN PERFORM trapped('numeric * bigint'); RETURN 1; END $$;
CREATE OPERATOR * (LEFTARG = numeric, RIGHTARG = bigint, FUNCTION = trap_numeric_bigint);
CREATE FUNCTION trap_jsonb(jsonb, jsonb) RETURNS text LANGUAGE plpgsql
    AS $$ BEGIN PERFORM trapped('jsonb ->> jsonb'); RETURN ''; END $$;
CREATE OPERATOR ->> (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = trap_jsonb);
CREATE FUNCTION make_interval(secs numeric) RETURNS interval LANGUAGE plpgsql
    AS $$ BEGIN PERFORM trapped('make_interval(numeric)'); RETURN NULL; END $$;
CREATE FUNCTION unnest(uuid[]) RETURNS SETOF uuid LANGUAGE plpgsql
    AS $$ BEGIN PERFORM trapped('unnest(uuid[])'); END $$;
CREATE FUNCTION to_jsonb(issue) RETURNS jsonb LANGUAGE plpgsql
    AS $$ BEGIN PERFORM trapped('to_jsonb(issue)'); RETURN '{}'; END $$;
CREATE FUNCTION to_jsonb(agent_runtime) RETURNS jsonb LANGUAGE plpgsql
    AS $$ BEGIN PERFORM trapped('to_jsonb(agent_runtime)'); RETURN '{}'; END $$;
CREATE FUNCTION to_jsonb(multica_sweep_state) RETURNS jsonb LANGUAGE plpgsql
    AS $$ BEGIN PERFORM trapped('to_jsonb(multica_sweep_state)'); RETURN '{}'; END $$;

INSERT INTO workspace (name, slug) VALUES ('w', 'w') RETURNING id AS workspace \gset
SELECT id AS runtime FROM multica_register(:'workspace', '{"daemon_id": "d", "runtimes": [{"type": "claude"}]}') \gset
INSERT INTO agent (workspace_id, name, runtime_id) VALUES (:'workspace', 'a', :'runtime') RETURNING id AS agent \gset
INSERT INTO issue (workspace_id, title, status, assignee_type, assignee_id, creator_type, creator_id)
    VALUES (:'workspace', 'i', 'in_progress', 'agent', :'agent', 'agent', :'agent') RETURNING id AS issue \gset
SELECT created FROM multica_enqueue_issue(:'issue', max_attempts => 2);
SELECT id AS task, claim_token FROM multica_claim(:'runtime') \gset
SELECT status FROM multica_start(:'task', :claim_token);
SELECT multica_pin_session(:'task', 's', '/srv', :claim_token);
SELECT stop_task_ids FROM multica_heartbeat(:'runtime', ARRAY[:'task']::uuid[]);
UPDATE agent_runtime SET last_seen_at = now() - interval '1 hour';
SELECT tasks_failed, tasks_retried FROM multica_sweep();
SELECT id AS task FROM multica_claim(:'runtime') \gset
SELECT applied FROM multica_fail(:'task', 'boom');
SELECT status FROM issue;
SELECT retried, issues_reset FROM multica_handle_failed_tasks(ARRAY[:'task']::uuid[]);
SELECT tasks_queued, events_held FROM multica_status();
SELECT type, count(*) FROM multica_events() GROUP BY type ORDER BY type;
SELECT count(*) FROM multica_take_events('r');
SELECT reader, behind FROM multica_list_readers();

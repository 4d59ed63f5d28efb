-- database: empty
-- Calls without tables, with tables that are too old, and with a library and SQL objects of different versions.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/outcome.sql
\i :helper
\set ECHO all
CREATE EXTENSION multica;
SELECT outcome('SELECT * FROM multica_sweep()');
SELECT outcome('CALL multica_sweep_all()');
SELECT outcome('SELECT * FROM multica_events()');
SELECT outcome($$SELECT multica_heartbeat('00000000-0000-4000-8000-0000000000b1')$$);
SELECT outcome($$SELECT multica_register('00000000-0000-4000-8000-0000000000a1', '{"daemon_id": "d", "runtimes": [{"type": "claude"}]}')$$);
SELECT outcome($$SELECT multica_list_runtimes('00000000-0000-4000-8000-0000000000a1')$$);
SELECT count(*) > 10 AS installed FROM multica_install();
SELECT more FROM multica_sweep();

-- The tables of a server before its migration 055.
ALTER TABLE agent_task_queue DROP COLUMN max_attempts;
SELECT outcome($$SELECT multica_handle_failed_tasks('{}')$$);
INSERT INTO workspace (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000a1', 'Fleet', 'fleet');
INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider)
VALUES ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-0000000000a1', 'd', 'n', 'local', 'p');
INSERT INTO agent (id, workspace_id, name, runtime_id)
VALUES ('00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000a1', 'Ada', '00000000-0000-4000-8000-0000000000b1');
INSERT INTO agent_task_queue (agent_id, runtime_id, status, dispatched_at)
VALUES ('00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000b1', 'dispatched', now());
SELECT outcome('SELECT * FROM multica_sweep()');
SELECT status FROM agent_task_queue;
SELECT object FROM multica_install() WHERE action <> 'adopted';
SELECT tasks_failed, tasks_retried FROM multica_sweep();

UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'multica';
SELECT regexp_replace(outcome('SELECT multica_version()'), 'library has version [0-9.]+,', 'library has a newer version,');
SELECT regexp_replace(outcome('SELECT multica_install()'), 'library has version [0-9.]+,', 'library has a newer version,');

-- Objects of the same names in the first schema of search_path, or in pg_temp, have no effect.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/outcome.sql
\i :helper
\set helper :srcdir /helper/machine.sql
\i :helper
\set ECHO all
CREATE SCHEMA trap;
CREATE TABLE trap.agent_runtime (LIKE public.agent_runtime INCLUDING ALL);
CREATE TABLE trap.agent_task_queue (LIKE public.agent_task_queue INCLUDING ALL);
CREATE TABLE trap.multica_event_log (LIKE public.multica_event_log INCLUDING ALL);
CREATE TYPE trap.multica_runtime AS (id text);
CREATE TYPE trap.multica_swept AS (more text);
CREATE FUNCTION trap.caught() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'in the trap'; END $$;
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT trap.caught()::timestamptz';
CREATE FUNCTION trap.lower(text) RETURNS text LANGUAGE sql AS 'SELECT trap.caught()';
CREATE FUNCTION trap.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT trap.caught()';
CREATE FUNCTION trap.min(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT trap.caught()::bigint';
CREATE FUNCTION trap.gen_random_uuid() RETURNS uuid LANGUAGE sql AS 'SELECT trap.caught()::uuid';
CREATE FUNCTION trap.equal(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT trap.caught()::boolean';
CREATE OPERATOR trap.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = trap.equal);
CREATE FUNCTION trap.equal(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT trap.caught()::boolean';
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.equal);
CREATE TEMPORARY TABLE agent_runtime (LIKE public.agent_runtime INCLUDING ALL);
CREATE TEMPORARY TABLE agent_task_queue (LIKE public.agent_task_queue INCLUDING ALL);
CREATE TEMPORARY TABLE issue (LIKE public.issue INCLUDING ALL);
CREATE TEMPORARY TABLE multica_event_log (LIKE public.multica_event_log INCLUDING ALL);
CREATE TEMPORARY TABLE pg_extension (extname name, extversion text);

-- A function that does not set its search_path calls the wrong object.
SET search_path = trap, pg_temp, public, pg_catalog;
\set VERBOSITY terse
SELECT now();
SELECT count(*) OPERATOR(pg_catalog.=) 0 AS other_table FROM agent_runtime;

SELECT public.multica_version() IS NOT NULL AS checked;
SELECT daemon_id FROM public.multica_list_runtimes('00000000-0000-4000-8000-0000000000a1');
SELECT daemon_id FROM public.multica_find_legacy_runtimes('00000000-0000-4000-8000-0000000000a1', 'claude', 'BOX');
SELECT inserted FROM public.multica_register('00000000-0000-4000-8000-0000000000a1', '{"daemon_id": "box", "runtimes": [{"type": "claude"}]}');
SELECT stop_task_ids FROM public.multica_heartbeat('00000000-0000-4000-8000-0000000000b1', '{00000000-0000-4000-8000-0000000000e1}');
UPDATE public.agent_runtime SET last_seen_at = '2020-01-01';
SELECT runtimes_offline, tasks_failed, tasks_retried, more FROM public.multica_sweep();
CALL public.multica_sweep_all();
SELECT type FROM public.multica_events();
SELECT pg_catalog.count(*) AS caught FROM trap.agent_runtime;
SELECT pg_catalog.count(*) AS caught FROM pg_temp.multica_event_log;
SELECT status FROM public.agent_task_queue ORDER BY status;

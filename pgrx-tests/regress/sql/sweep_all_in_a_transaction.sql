-- If the procedure cannot commit, it sweeps nothing, and the error has a hint what to do instead.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/outcome.sql
\i :helper
\set ECHO all
\set SHOW_CONTEXT never
INSERT INTO workspace (name, slug) VALUES ('Acme', 'acme');
INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
SELECT id, 'machine', 'claude', 'local', 'claude', 'online', now() - interval '1 hour' FROM workspace;
BEGIN;
CALL multica_sweep_all();
ROLLBACK;
SELECT outcome('CALL multica_sweep_all()');
SELECT status FROM agent_runtime;
DO $$ BEGIN CALL multica_sweep_all(); END $$;
SELECT status FROM agent_runtime;
SELECT multica_can_commit();

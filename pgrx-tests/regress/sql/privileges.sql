-- No role may call a function before a grant. Where a table has row-level security, calls run with the privileges of their caller,
-- and an error about a missing privilege on a table has a hint how to get it.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/outcome.sql
\i :helper
\set helper :srcdir /helper/machine.sql
\i :helper
\set ECHO all
SELECT p.oid::regprocedure AS open_to_all
FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'multica'
WHERE has_function_privilege('public', p.oid, 'EXECUTE');

CREATE ROLE multica_golden_stranger;
SET ROLE multica_golden_stranger;
SELECT outcome('SELECT * FROM multica_sweep()');
SELECT outcome('CALL multica_sweep_all()');
SELECT outcome($$SELECT multica_grant('multica_golden_stranger', 'daemon')$$);
RESET ROLE;
GRANT EXECUTE ON FUNCTION multica_sweep, multica_heartbeat, multica_events TO multica_golden_stranger;
SET ROLE multica_golden_stranger;
SELECT outcome('SELECT * FROM multica_sweep()');
SELECT outcome($$SELECT multica_heartbeat('00000000-0000-4000-8000-0000000000b1')$$);
SELECT outcome('SELECT * FROM multica_events()');
SELECT outcome('TABLE agent_runtime');
RESET ROLE;
ALTER TABLE agent_runtime ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON agent_runtime USING (true);
SET ROLE multica_golden_stranger;
SELECT outcome('SELECT * FROM multica_sweep()');
SELECT outcome($$SELECT multica_heartbeat('00000000-0000-4000-8000-0000000000b1')$$);
SELECT outcome('SELECT * FROM multica_events()');
RESET ROLE;
SELECT multica_grant('multica_golden_stranger', 'daemon');
SET ROLE multica_golden_stranger;
SELECT outcome($$SELECT multica_heartbeat('00000000-0000-4000-8000-0000000000b1')$$);
SELECT outcome($$SELECT multica_register('00000000-0000-4000-8000-0000000000a1', '{"daemon_id": "d", "runtimes": [{"type": "claude"}], "recover": true}')$$);
SELECT outcome($$SELECT multica_recover_orphans('00000000-0000-4000-8000-0000000000b1')$$);
SELECT outcome('DELETE FROM workspace');
SELECT outcome($$SELECT multica_grant('multica_golden_stranger', 'operator')$$);
RESET ROLE;
DROP POLICY everything ON agent_runtime;
ALTER TABLE agent_runtime DISABLE ROW LEVEL SECURITY;
SELECT multica_revoke('multica_golden_stranger', 'daemon');
SELECT multica_revoke('multica_golden_stranger', 'daemon');
SELECT x.relname FROM pg_class AS x, aclexplode(x.relacl) AS a WHERE a.grantee = 'multica_golden_stranger'::regrole;
DROP OWNED BY multica_golden_stranger;
DROP ROLE multica_golden_stranger;

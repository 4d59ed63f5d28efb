-- NULL for a required argument raises an error that names the argument.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/outcome.sql
\i :helper
\set ECHO all

-- An argument without a default, or with a default other than NULL, is required. The query returns the required
-- arguments that do not raise 22004 with their name: bounds that may be NULL, text that is cleaned or classified, and the
-- daemon id of a cloud runtime.
CREATE TEMPORARY TABLE argument AS
SELECT p.oid AS function, p.proname, p.prokind, p.pronargs, a.position, p.proargnames[a.position] AS name, t.typname,
       a.position > p.pronargs - p.pronargdefaults
       AND pg_get_function_arg_default(p.oid, a.position) LIKE 'NULL%' AS may_be_null
FROM pg_proc AS p
JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'multica'
CROSS JOIN LATERAL unnest(p.proargtypes::oid[]) WITH ORDINALITY AS given (type, at)
CROSS JOIN LATERAL (SELECT given.at::integer AS position) AS a
JOIN pg_type AS t ON t.oid = given.type;

SELECT count(*) > 80 AS all_are_looked_at FROM argument;

CREATE TEMPORARY TABLE answer AS
SELECT n.proname, n.name, outcome(format(
    '%s %s(%s)', CASE n.prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END, n.proname,
    (SELECT string_agg(format('%I => %s', o.name, CASE WHEN o.position = n.position THEN 'NULL' ELSE
        CASE o.typname
            WHEN 'uuid' THEN '''00000000-0000-4000-8000-0000000000ff''::uuid' WHEN '_uuid' THEN '''{}''::uuid[]'
            WHEN 'text' THEN '''local''' WHEN 'jsonb' THEN '''{}''' WHEN 'bytea' THEN '''{}'''
            WHEN 'bool' THEN 'true' WHEN 'timestamptz' THEN 'now()' WHEN 'regrole' THEN 'CURRENT_ROLE::regrole'
            ELSE '1' END END), ', ')
     FROM argument AS o WHERE o.function = n.function))) AS answer
FROM argument AS n WHERE NOT n.may_be_null;

SELECT proname, name, answer FROM answer
WHERE answer <> format('22004 argument "%s" must not be NULL', name) ORDER BY proname, name;

-- No function is STRICT, which would return NULL without an error.
SELECT p.proname FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'multica' WHERE p.proisstrict AND p.pronargs > 0 ORDER BY 1;

-- A local runtime needs a daemon id, a cloud runtime does not.
\set ECHO none
\set helper :srcdir /helper/machine.sql
\i :helper
\set ECHO all
SELECT outcome($$SELECT multica_upsert_runtime('00000000-0000-4000-8000-0000000000a1', NULL, 'n', 'local', 'p', 'online')$$);
SELECT outcome($$SELECT multica_upsert_runtime('00000000-0000-4000-8000-0000000000a1', NULL, 'n', 'cloud', 'p', 'online')$$);

-- NULL inside an array.
SELECT outcome('SELECT multica_heartbeat_many(ARRAY[NULL]::uuid[])');
SELECT outcome('SELECT multica_deregister(ARRAY[NULL]::uuid[])');
SELECT outcome('SELECT multica_handle_failed_tasks(ARRAY[NULL]::uuid[])');
SELECT outcome($$SELECT multica_heartbeat('00000000-0000-4000-8000-0000000000b1', ARRAY[NULL]::uuid[])$$);
SELECT outcome($$SELECT multica_recover_orphans('00000000-0000-4000-8000-0000000000b1', ARRAY[NULL]::uuid[])$$);

-- A duration is a finite number of seconds above zero, and a bound is not below zero.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/outcome.sql
\i :helper
\set ECHO all

SELECT s.secs || ': ' || outcome(format('SELECT multica_sweep(%L)', s.secs)) AS answer
FROM (VALUES (1, 'NaN'), (2, 'Infinity'), (3, '-Infinity'), (4, '-1'), (5, '0'), (6, '1e300'), (7, '1e10')) AS s (at, secs)
ORDER BY s.at;

-- The same is true for every argument in seconds, except where a grace of 0 is allowed. The query returns only
-- differences.
SELECT c.call, s.secs, outcome(format(c.call, s.secs)) AS answer
FROM (VALUES ('''NaN'''), ('''Infinity'''), ('''-Infinity'''), ('-1'), ('0'), ('1e300')) AS s (secs)
CROSS JOIN (VALUES
    ('SELECT multica_sweep(stale_secs => %s)'), ('CALL multica_sweep_all(stale_secs => %s)'),
    ('SELECT multica_mark_stale_runtimes_offline(stale_secs => %s)'),
    ('SELECT multica_delete_stale_offline_runtimes(ttl_secs => %s)'),
    ('SELECT multica_fail_stale_tasks(dispatch_timeout_secs => %s, running_timeout_secs => 1)'),
    ('SELECT multica_fail_stale_tasks(dispatch_timeout_secs => 1, running_timeout_secs => %s)'),
    ('SELECT multica_fail_tasks_for_offline_runtimes(grace_secs => %s)')
) AS c (call)
WHERE outcome(format(c.call, s.secs)) NOT LIKE '22023 argument "%_secs": % is not a finite number of seconds above 0%HINT: Pass a finite number of seconds above 0%'
ORDER BY 1, 2;

SELECT outcome('SELECT multica_mark_stale_runtimes_offline(1, -1)');
SELECT outcome('SELECT multica_delete_stale_offline_runtimes(1, -1)');
SELECT outcome('SELECT multica_fail_stale_tasks(1, 1, -1)');
SELECT outcome('SELECT multica_fail_tasks_for_offline_runtimes(0, -1)');
SELECT outcome('SELECT multica_fail_tasks_for_offline_runtimes(0, 0)');
SELECT outcome('SELECT multica_events(0, 0)');
SELECT outcome($$SELECT multica_take_events('r', 0)$$);
SELECT outcome($$SELECT multica_take_events(' ')$$);

-- Arguments with an unknown word, and rows in the wrong state.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/outcome.sql
\i :helper
\set helper :srcdir /helper/machine.sql
\i :helper
\set ECHO all

SELECT outcome(format('SELECT multica_upsert_runtime(''00000000-0000-4000-8000-0000000000a1'', %L, ''n'', %L, %L, %L)', d, m, p, s))
FROM (VALUES
    ('d', 'LOCAL', 'p', 'online'), ('d', 'remote', 'p', 'online'), ('d', 'local', 'p', 'away'), ('d', 'local', 'p', ''),
    ('d', 'local', ' ', 'online'), (' ', 'local', 'p', 'online')
) AS g (d, m, p, s);
SELECT outcome($$SELECT multica_delete_runtime('00000000-0000-4000-8000-0000000000b1')$$);
SELECT outcome('SET multica.sweep = maybe');
SELECT outcome($$SET multica.stale_after = '0'$$);
SELECT outcome('SET multica.batch_size = 0');
SELECT count(*) FROM agent_runtime;

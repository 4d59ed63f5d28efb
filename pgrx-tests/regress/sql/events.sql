-- A reader gets each event once, in the order of the ids.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/machine.sql
\i :helper
\set ECHO all
SELECT multica_set_runtime_offline('00000000-0000-4000-8000-0000000000b1');
SELECT status FROM multica_heartbeat('00000000-0000-4000-8000-0000000000b1');
SELECT id, type, workspace_id, payload FROM multica_events();
SELECT id FROM multica_events(1);
SELECT id FROM multica_events(max_events => 1);
SELECT id, type FROM multica_take_events('mirror', 1);
SELECT reader, last_id, behind, taken_at >= created_at AS taken FROM multica_list_readers();
SELECT id, type FROM multica_take_events('mirror');
SELECT id, type FROM multica_take_events('mirror');
SELECT multica_forget_reader('mirror'), multica_forget_reader('mirror');
SELECT orphaned FROM multica_recover_orphans('00000000-0000-4000-8000-0000000000b1');
SELECT type, payload - 'retry_task_id' - 'task_id' AS payload FROM multica_events(2) WHERE type LIKE 'task:%';

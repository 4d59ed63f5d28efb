-- A call with one unknown id names the id in the error. Lookups return no row, and calls on arrays count the rows that
-- exist.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/outcome.sql
\i :helper
\set helper :srcdir /helper/machine.sql
\i :helper
\set ECHO all
\set ws '\'00000000-0000-4000-8000-0000000000a1\''
\set rt '\'00000000-0000-4000-8000-0000000000b1\''
\set no '\'00000000-0000-4000-8000-0000000000ff\''

SELECT outcome(format('SELECT multica_heartbeat(%L)', :no));
SELECT outcome(format('SELECT multica_set_runtime_offline(%L)', :no));
SELECT outcome(format('SELECT multica_delete_runtime(%L)', :no));
SELECT outcome(format('SELECT multica_delete_archived_agents(%L)', :no));
SELECT outcome(format('SELECT multica_count_active_agents(%L)', :no));
SELECT outcome(format('SELECT multica_recover_orphans(%L)', :no));
SELECT outcome(format('SELECT multica_record_legacy_daemon_id(%L, ''x'')', :no));
SELECT outcome(format('SELECT multica_reassign_agents(%L, %L)', :rt, :no));
SELECT outcome(format('SELECT multica_reassign_tasks(%L, %L)', :no, :rt));
SELECT outcome(format('SELECT multica_merge_legacy(%L, ''claude'', ''box'')', :no));
SELECT outcome(format('SELECT multica_merge_legacy(%L, ''claude'', ''box'', %L)', :ws, :no));
SELECT outcome(format('SELECT multica_merge_legacy(%L, ''codex'', ''box'', %L)', :ws, :rt));
SELECT outcome(format('SELECT multica_upsert_runtime(%L, ''d'', ''n'', ''local'', ''p'', ''online'')', :no));
SELECT outcome(format('SELECT multica_register(%L, ''{"daemon_id": "d", "runtimes": [{"type": "claude"}]}'')', :no));
SELECT outcome(format('SELECT multica_upsert_runtime(%L, ''d'', ''n'', ''local'', ''p'', ''online'', owner_id => %L)', :ws, :no));

SELECT count(*) FROM multica_get_runtime(:no);
SELECT count(*) FROM multica_get_runtime_for_workspace(:rt, :no);
SELECT count(*) FROM multica_list_runtimes(:no);
SELECT count(*) FROM multica_list_runtimes_by_owner(:ws, :no);
SELECT count(*) FROM multica_find_legacy_runtimes(:ws, 'claude', 'nobody');
SELECT multica_heartbeat_many(ARRAY[:no, :rt, :rt]::uuid[]), multica_heartbeat_many('{}');
SELECT multica_deregister(ARRAY[:no, :rt]::uuid[]), multica_deregister('{}');
SELECT * FROM multica_handle_failed_tasks(ARRAY[:no]::uuid[]);
SELECT * FROM multica_handle_failed_tasks('{}');
SELECT multica_forget_reader('nobody');

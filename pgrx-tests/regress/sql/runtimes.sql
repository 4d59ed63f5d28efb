-- The life of a runtime: registered, with heartbeats, offline, merged under another daemon id, deleted.
INSERT INTO workspace (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000a1', 'Fleet', 'fleet');

SELECT name, provider, status, inserted, merged FROM multica_register(
    '00000000-0000-4000-8000-0000000000a1',
    '{"daemon_id": "box", "device_name": "box", "runtimes": [{"type": "claude"}, {"type": "codex"}]}'
);
SELECT name, runtime_mode, inserted FROM multica_upsert_runtime('00000000-0000-4000-8000-0000000000a1', NULL, 'pool', 'cloud', 'claude', 'online');
SELECT id AS claude FROM agent_runtime WHERE name = 'claude (box)' \gset
SELECT id AS codex FROM agent_runtime WHERE name = 'codex (box)' \gset
SELECT name, status, stop_task_ids FROM multica_heartbeat(:'claude');
SELECT multica_heartbeat_many(ARRAY[:'claude', :'codex']::uuid[]);
SELECT multica_set_runtime_offline(:'claude'), multica_set_runtime_offline(:'claude');
SELECT multica_deregister(ARRAY[:'claude', :'codex']::uuid[]);
-- The reason stays until the next registration.
SELECT multica_set_runtime_offline(:'claude', '{"code": "not_executable"}'), multica_deregister(ARRAY[:'codex']::uuid[], '{"code": "quit"}');
SELECT name, metadata -> 'offline_reason' AS reason, visibility, profile_id, custom_name FROM multica_heartbeat(:'claude');
SELECT multica_set_runtime_offline(:'claude', '[]');
SELECT multica_set_runtime_offline(:'claude');
SELECT name, status FROM multica_list_runtimes('00000000-0000-4000-8000-0000000000a1') ORDER BY name;
SELECT name FROM multica_get_runtime(:'codex');
SELECT name FROM multica_get_runtime_for_workspace(:'codex', '00000000-0000-4000-8000-0000000000a1');
SELECT name FROM multica_find_legacy_runtimes('00000000-0000-4000-8000-0000000000a1', 'codex', 'BOX');

-- A merge moves the agents and tasks.
INSERT INTO agent (workspace_id, name, runtime_id) SELECT workspace_id, 'Ada', id FROM agent_runtime WHERE id = :'claude';
INSERT INTO agent_task_queue (agent_id, runtime_id) SELECT id, runtime_id FROM agent;
SELECT name, inserted, merged, legacy_daemon_id FROM multica_register(
    '00000000-0000-4000-8000-0000000000a1',
    '{"daemon_id": "machine-5f", "legacy_daemon_ids": ["Box"], "runtimes": [{"name": "mine", "type": "claude"}]}'
);
SELECT r.name, count(t.id) FROM agent AS a JOIN agent_runtime AS r ON r.id = a.runtime_id
JOIN agent_task_queue AS t ON t.agent_id = a.id AND t.runtime_id = r.id GROUP BY 1;
SELECT id AS mine FROM agent_runtime WHERE name = 'mine' \gset
SELECT multica_record_legacy_daemon_id(:'mine', 'later'), multica_count_active_agents(:'mine');
SELECT multica_reassign_agents(:'mine', :'codex'), multica_reassign_tasks(:'mine', :'codex');
SELECT merged, agents_reassigned, tasks_reassigned FROM multica_merge_legacy('00000000-0000-4000-8000-0000000000a1', 'codex', 'BOX', :'codex');
SELECT * FROM multica_delete_runtime(:'mine');
UPDATE agent SET archived_at = now();
SELECT multica_delete_archived_agents(:'codex');
UPDATE agent_runtime SET last_seen_at = now() - interval '8 days' WHERE id = :'codex';
SELECT runtime_id = :'codex' AS codex_is_gone FROM multica_delete_stale_offline_runtimes(604800);
SELECT type, payload ->> 'action' AS action FROM multica_events();

-- One machine: …a1 workspace, …b1 runtime 'box' of provider claude, …c1 agent on it, …d1 issue, …e1 task of both.
INSERT INTO workspace (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000a1', 'Fleet', 'fleet');
INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
VALUES ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-0000000000a1', 'box', 'claude (box)', 'local', 'claude',
        'online', now());
INSERT INTO agent (id, workspace_id, name, runtime_mode, runtime_id)
VALUES ('00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000a1', 'Ada', 'local',
        '00000000-0000-4000-8000-0000000000b1');
INSERT INTO issue (id, workspace_id, title, status, creator_type, creator_id, number)
VALUES ('00000000-0000-4000-8000-0000000000d1', '00000000-0000-4000-8000-0000000000a1', 'login', 'in_progress', 'member',
        '00000000-0000-4000-8000-0000000000f1', 1);
INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, session_id, work_dir, dispatched_at, started_at)
VALUES ('00000000-0000-4000-8000-0000000000e1', '00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000b1',
        '00000000-0000-4000-8000-0000000000d1', 'running', 'session-1', '/srv/1', now(), now());

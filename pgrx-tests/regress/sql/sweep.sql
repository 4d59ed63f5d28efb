-- A runtime becomes stale, and one call writes the verdict with all its consequences.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/machine.sql
\i :helper
\set ECHO all
SELECT * FROM multica_sweep();
SELECT status, running FROM (SELECT status, stop_task_ids = '{}' AS running FROM multica_heartbeat(
    '00000000-0000-4000-8000-0000000000b1', '{00000000-0000-4000-8000-0000000000e1}')) AS beat;
UPDATE agent_runtime SET last_seen_at = now() - interval '1 minute';
SELECT * FROM multica_sweep(30);
SELECT status, failure_reason, attempt, session_id, work_dir FROM agent_task_queue ORDER BY attempt;
SELECT title, status FROM issue;
SELECT name, status FROM agent;
SELECT type, payload ->> 'status' AS status, payload ->> 'action' AS action FROM multica_events();
CALL multica_sweep_all();

-- The daemon restarts and no longer has its task.
UPDATE agent_task_queue SET status = 'running', dispatched_at = now(), started_at = now() WHERE attempt = 2;
SELECT multica_heartbeat_many('{00000000-0000-4000-8000-0000000000b1}');
SELECT * FROM multica_recover_orphans('00000000-0000-4000-8000-0000000000b1');
SELECT title, status FROM issue;

-- The stages, one per call.
UPDATE agent_task_queue SET status = 'running', completed_at = NULL, max_attempts = 9, dispatched_at = now() - interval '3 hours', started_at = now() - interval '3 hours' WHERE attempt = 2;
SELECT status, failure_reason FROM multica_fail_stale_tasks(300, 9000);
UPDATE agent_task_queue SET status = 'running', started_at = now() WHERE attempt = 3;
UPDATE agent_runtime SET last_seen_at = now() - interval '1 minute';
SELECT count(*) FROM multica_mark_stale_runtimes_offline(45);
SELECT status, failure_reason FROM multica_fail_tasks_for_offline_runtimes();
UPDATE agent_task_queue SET status = 'failed', failure_reason = 'timeout', completed_at = now() WHERE attempt = 4;
SELECT * FROM multica_handle_failed_tasks(ARRAY(SELECT id FROM agent_task_queue WHERE attempt = 4));
SELECT attempt, status, failure_reason FROM agent_task_queue ORDER BY attempt;

-- Returns whether the sweep has begun, and whether it has ended.
SELECT
    EXISTS (SELECT FROM agent_runtime WHERE status = 'offline'),
    NOT EXISTS (SELECT FROM agent_task_queue WHERE status = 'running' AND started_at < now() - interval '5 minutes')

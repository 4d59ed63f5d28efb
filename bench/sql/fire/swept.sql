-- Whether the sweep has begun, and whether it is through.
SELECT
    EXISTS (SELECT FROM agent_runtime WHERE status = 'offline'),
    NOT EXISTS (SELECT FROM agent_task_queue WHERE status = 'running' AND started_at < now() - interval '5 minutes')

WITH jobs AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts)
    SELECT 'bench', 'bench', '{"n": 1}', 'succeeded', 1 FROM generate_series(1, $1::bigint)
    RETURNING id
)
INSERT INTO procrastinate_events (job_id, type)
SELECT j.id, e.type
FROM jobs AS j CROSS JOIN unnest('{deferred,started,succeeded}'::procrastinate_job_event_type[]) AS e (type)

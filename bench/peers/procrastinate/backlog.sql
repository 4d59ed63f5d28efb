INSERT INTO procrastinate_jobs (queue_name, task_name, args) SELECT 'bench', 'bench', '{"n": 1}' FROM generate_series(1, $1::bigint)

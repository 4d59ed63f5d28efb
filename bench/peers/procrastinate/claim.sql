SELECT id FROM procrastinate_fetch_job_v2('{bench}'::varchar[], :worker) WHERE id IS NOT NULL

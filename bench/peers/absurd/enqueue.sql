SELECT run_id FROM absurd.spawn_task('bench', 'bench', '{"n": 1}'::jsonb)

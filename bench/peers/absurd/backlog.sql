SELECT absurd.spawn_task('bench', 'bench', '{"n": 1}') FROM generate_series(1, $1::bigint)

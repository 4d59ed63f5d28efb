SELECT s.run_id FROM generate_series(1, :count::bigint) AS g (n) CROSS JOIN LATERAL absurd.spawn_task('bench', 'bench', jsonb_build_object('n', g.n)) AS s

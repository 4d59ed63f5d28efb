SELECT e.task_id
FROM generate_series(1, :count::bigint) AS g (n)
CROSS JOIN LATERAL multica_enqueue(:worker, jsonb_build_object('n', g.n)) AS e

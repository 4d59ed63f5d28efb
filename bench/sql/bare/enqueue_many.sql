INSERT INTO job (context) SELECT jsonb_build_object('n', n) FROM generate_series(1, :count::bigint) AS n RETURNING id

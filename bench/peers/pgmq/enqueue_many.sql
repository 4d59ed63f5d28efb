SELECT * FROM pgmq.send_batch('bench', ARRAY(SELECT jsonb_build_object('n', n) FROM generate_series(1, :count::bigint) AS n))

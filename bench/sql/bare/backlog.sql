INSERT INTO job (context) SELECT '{"n": 1}' FROM generate_series(1, $1::bigint)

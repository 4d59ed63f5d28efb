SELECT n FROM generate_series(1::bigint, 32) AS n

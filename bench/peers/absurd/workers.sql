SELECT n::text FROM generate_series(1, 32) AS n

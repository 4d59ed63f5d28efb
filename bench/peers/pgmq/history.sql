WITH numbers AS (SELECT nextval(pg_get_serial_sequence('pgmq.q_bench', 'msg_id')) AS id FROM generate_series(1, $1::bigint))
INSERT INTO pgmq.a_bench (msg_id, read_ct, enqueued_at, last_read_at, vt, message)
SELECT id, 1, now(), now(), now(), '{"n": 1}' FROM numbers

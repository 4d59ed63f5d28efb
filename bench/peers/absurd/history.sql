WITH pairs AS MATERIALIZED (
    SELECT absurd.portable_uuidv7() AS task, absurd.portable_uuidv7() AS run FROM generate_series(1, $1::bigint)
), tasks AS (
    INSERT INTO absurd.t_bench (task_id, task_name, params, state, attempts, last_attempt_run, first_started_at, completed_payload)
    SELECT task, 'bench', '{"n": 1}', 'completed', 1, run, now(), '{"ok": true}' FROM pairs
)
INSERT INTO absurd.r_bench (run_id, task_id, attempt, state, claimed_by, available_at, started_at, completed_at, result)
SELECT run, task, 1, 'completed', '1', now(), now(), now(), '{"ok": true}' FROM pairs

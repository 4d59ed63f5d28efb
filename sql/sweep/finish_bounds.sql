-- Returns which failed tasks are searched for what another program left undone: those that ended after $1 - 24 hours, after the
-- last task that an earlier sweep has searched, and at least $2 seconds ago. is_far: the search begins more than an hour before its
-- end and reads ended tasks, so the position must be stored, although nothing was found. can_store: install has made the columns of
-- the position, without which all tasks would be searched again and again. A position in the future does not count.
SELECT
    b.from_time,
    b.from_id,
    b.through,
    b.can_store,
    b.from_time < b.through - interval '1 hour' AND EXISTS (
        SELECT
        FROM agent_task_queue AS t
        WHERE t.status IN ('completed', 'failed', 'cancelled') AND t.completed_at > b.from_time AND t.completed_at <= b.through
    ) AS is_far
FROM (
    SELECT
        CASE
            WHEN p.finished_to BETWEEN $1 - interval '24 hours' AND $1 THEN p.finished_to
            ELSE $1 - interval '24 hours'
        END AS from_time,
        CASE
            WHEN p.finished_to BETWEEN $1 - interval '24 hours' AND $1 THEN p.finished_id
            ELSE '00000000-0000-0000-0000-000000000000'::uuid
        END AS from_id,
        $1 - make_interval(secs => $2) AS through,
        p.can_store
    FROM (
        SELECT
            (pg_catalog.to_jsonb(s) ->> 'finished_to'::text)::timestamptz AS finished_to,
            COALESCE(
                (pg_catalog.to_jsonb(s) ->> 'finished_id'::text)::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid
            ) AS finished_id,
            EXISTS (
                SELECT FROM pg_attribute AS c
                WHERE c.attrelid = to_regclass('multica_sweep_state') AND c.attname = 'finished_to' AND NOT c.attisdropped
            ) AS can_store
        FROM (VALUES (true)) AS one (there)
        LEFT JOIN multica_sweep_state AS s ON true
    ) AS p
) AS b

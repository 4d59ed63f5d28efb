-- Moves the messages $1 behind the last message of their chat that is visible, and not before the claim, which was at $2: they are
-- answered next. Several messages of one turn keep their order.
UPDATE chat_message AS m
SET created_at = GREATEST($2, n.last_at + interval '1 microsecond') + make_interval(
    secs => 0.000001::double precision * n.place::double precision
)
FROM (
    SELECT
        g.id,
        (
            SELECT o.created_at
            FROM chat_message AS o
            WHERE o.chat_session_id = g.chat_session_id
              AND o.id <> ALL ($1)
              AND (
                  o.role <> 'user'
                  OR (SELECT w.status IN ('queued', 'deferred') FROM agent_task_queue AS w WHERE w.id = o.task_id) IS NOT TRUE
              )
            ORDER BY o.created_at DESC
            LIMIT 1
        ) AS last_at,
        row_number() OVER (PARTITION BY g.task_id ORDER BY g.created_at, g.id) - 1::bigint AS place
    FROM chat_message AS g
    WHERE g.id = ANY ($1)
) AS n
WHERE m.id = n.id

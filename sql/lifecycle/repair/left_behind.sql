-- Returns tasks that are queued on a runtime which is offline, or was silent at $3 for $4 seconds, although their agent is bound to
-- another runtime, so that they are never claimed: at most $1, without those in $2. The search goes from one pair of runtime and agent
-- to the next in the index of queued tasks, and skips the other agents of a runtime that is not gone. Therefore its cost grows with
-- the number of these pairs and runtimes, and not with the length of the queue.
WITH RECURSIVE pair AS (
    (
        SELECT t.runtime_id, t.agent_id
        FROM agent_task_queue AS t
        WHERE t.status = 'queued'
        ORDER BY t.runtime_id, t.agent_id, t.priority DESC, t.created_at, t.id
        LIMIT 1
    )
    UNION ALL
    SELECT n.runtime_id, n.agent_id
    FROM pair AS q
    CROSS JOIN LATERAL (
        SELECT t.runtime_id, t.agent_id
        FROM agent_task_queue AS t
        WHERE t.status = 'queued'
          AND (t.runtime_id, t.agent_id) > (
              q.runtime_id,
              CASE
                  WHEN (
                      SELECT r.status = 'offline' OR COALESCE(r.last_seen_at, r.updated_at) < $3 - make_interval(secs => $4)
                      FROM agent_runtime AS r
                      WHERE r.id = q.runtime_id
                  ) THEN q.agent_id
                  ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid
              END
          )
        ORDER BY t.runtime_id, t.agent_id, t.priority DESC, t.created_at, t.id
        LIMIT 1
    ) AS n
)
SELECT w.id
FROM pair AS p
CROSS JOIN LATERAL (
    SELECT CASE WHEN (
        SELECT r.status = 'offline' OR COALESCE(r.last_seen_at, r.updated_at) < $3 - make_interval(secs => $4)
        FROM agent_runtime AS r
        WHERE r.id = p.runtime_id
    ) THEN
        (SELECT a.runtime_id <> p.runtime_id FROM agent AS a WHERE a.id = p.agent_id)
    END AS is_away
) AS s
CROSS JOIN LATERAL (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.status = 'queued' AND t.runtime_id = p.runtime_id AND t.agent_id = p.agent_id AND t.id <> ALL ($2)
    ORDER BY t.runtime_id, t.agent_id, t.priority DESC, t.created_at, t.id
    LIMIT $1
) AS w
WHERE s.is_away
LIMIT $1

-- Locks and returns tasks that began in the future, or gave a sign of life there, in the order of the index of tasks in flight. The
-- clock was set back, and their time would not count until the clock catches up. One minute is allowed for tasks that begin while
-- this statement runs. A task may have started in the future although it was dispatched before, so every running task is read.
WITH dispatched AS MATERIALIZED (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.status = 'dispatched' AND t.dispatched_at > $1 + interval '1 minute' AND t.id <> ALL ($2)
    ORDER BY t.dispatched_at, t.id
    LIMIT $3
    FOR NO KEY UPDATE SKIP LOCKED
),
running AS MATERIALIZED (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.status = 'running'
      AND (
          t.started_at > $1 + interval '1 minute'
          -- feature task_beat
          OR t.last_heartbeat_at > $1 + interval '1 minute'
          -- end task_beat
      )
      AND t.id <> ALL ($2)
    ORDER BY t.dispatched_at, t.id
    LIMIT $3
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT d.id FROM dispatched AS d
UNION ALL
SELECT r.id FROM running AS r

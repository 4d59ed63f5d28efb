-- Returns running tasks that have given a sign of life of their own and then none for $2 seconds, in the order of the index of tasks in
-- flight: at most $5, without those in $4, and of those in $6 if it is not NULL. A sign from before the start is one of an earlier
-- claim. The runtime is online, not stale after $3 seconds, and has been so for $2 seconds: what happened to a task while its machine
-- slept is no silence of the task.
SELECT t.id
FROM agent_task_queue AS t
WHERE t.status = 'running'
  -- feature task_beat
  AND t.last_heartbeat_at >= COALESCE(t.started_at, t.dispatched_at)
  AND t.last_heartbeat_at < $1 - make_interval(secs => $2)
  -- end task_beat
  -- without task_beat
  --| AND (
  --|     SELECT p.signed_at >= COALESCE(t.started_at, t.dispatched_at) AND p.signed_at < $1 - make_interval(secs => $2)
  --|     FROM multica_task_progress AS p
  --|     WHERE p.task_id = t.id
  --| ) IS TRUE
  -- end task_beat
  AND (
      SELECT
          r.status = 'online'
          AND r.last_seen_at >= $1 - make_interval(secs => $3)
          -- feature redis_era
          AND r.updated_at < $1 - make_interval(secs => $2)
          -- end redis_era
      FROM agent_runtime AS r
      WHERE r.id = t.runtime_id
  ) IS TRUE
  -- feature signs
  AND (
      SELECT b.returned_at >= $1 - make_interval(secs => $2) AND b.returned_at < $1 + interval '1 minute'
      FROM multica_runtime_return AS b
      WHERE b.runtime_id = t.runtime_id
  ) IS NOT TRUE
  -- end signs
  AND t.id <> ALL ($4)
  AND ($6 IS NULL OR t.id = ANY ($6))
ORDER BY t.dispatched_at, t.id
LIMIT $5

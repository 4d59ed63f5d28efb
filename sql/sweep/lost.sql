-- Returns tasks that a daemon has lost, in the order of their ids: at most $6, without those in $5, and of those in $7 if it is not
-- NULL. Their runtime is alive, which means online and not stale after $3 seconds, and has sent two heartbeats in a row that did not
-- name them, the first one $2 seconds ago and the last one after $4, the end of the last outage (NULL: none is known). They were
-- started $8 seconds ago, and gave no sign of life of their own since: a run that reports its progress is not lost. A row of another
-- claim or of another runtime does not count. IS TRUE prevents that the planner makes a join of it, which could read all tasks.
SELECT u.task_id
FROM multica_task_unnamed AS u
WHERE u.confirmed_at > u.missed_at
  AND u.confirmed_at > COALESCE($4, '-infinity'::timestamptz)
  AND u.missed_at < $1 - make_interval(secs => $2)
  AND (
      SELECT true
      FROM agent_task_queue AS t
      WHERE t.id = u.task_id
        AND t.runtime_id = u.runtime_id
        AND t.status IN ('running', 'waiting_local_directory')
        AND t.dispatched_at IS NOT DISTINCT FROM u.claimed_at
        AND COALESCE(t.started_at, t.dispatched_at, t.created_at) < $1 - make_interval(secs => $8)
        AND (
            -- feature task_beat
            t.last_heartbeat_at
            -- end task_beat
            -- without task_beat
            --| (SELECT p.signed_at FROM multica_task_progress AS p WHERE p.task_id = t.id)
            -- end task_beat
            >= LEAST(u.confirmed_at, $1 - make_interval(secs => $2))
        ) IS NOT TRUE
  ) IS TRUE
  AND (
      SELECT r.status = 'online' AND r.last_seen_at >= $1 - make_interval(secs => $3)
      FROM agent_runtime AS r
      WHERE r.id = u.runtime_id
  ) IS TRUE
  AND u.task_id <> ALL ($5)
  AND ($7 IS NULL OR u.task_id = ANY ($7))
ORDER BY u.task_id
LIMIT $6

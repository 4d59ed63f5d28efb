-- Locks and returns tasks that were dispatched or running for too long, in the order of the index of tasks in flight. $2 and $3: the
-- seconds that a task may be dispatched, and running. $6 and $7: the times at which to begin, NULL for the oldest; the result
-- contains how far the search went. $8: the seconds after which a runtime is stale, $9: the grace of an offline runtime. A
-- dispatched task is left while it has a lease. Where a server can keep heartbeats in Redis, a running task is left until its
-- runtime was silent for longer than the grace, and so is a dispatched task, unless its runtime is alive and does not start it.
-- Running tasks are searched when no dispatched task is left. A task starts after it was dispatched, so a running task that is due
-- was dispatched before the same limit. After the clock was set back, a running task keeps a time of dispatch in the future,
-- because it is the claim token. A running task of an adopted table may have no time of dispatch.
WITH dispatched AS MATERIALIZED (
    SELECT t.id, t.dispatched_at
    FROM agent_task_queue AS t
    WHERE t.status = 'dispatched'
      AND $7 IS NULL
      AND t.dispatched_at >= COALESCE($6, '-infinity'::timestamptz)
      AND t.dispatched_at < $1 - make_interval(secs => $2)
      -- feature lease
      AND (t.prepare_lease_expires_at IS NULL OR t.prepare_lease_expires_at < $1)
      -- end lease
      -- feature redis_era
      AND (
          SELECT
              (r.status = 'online' AND r.last_seen_at >= $1 - make_interval(secs => $8)) IS NOT TRUE
              AND COALESCE(r.last_seen_at, r.updated_at) >= $1 - make_interval(secs => $9)
          FROM agent_runtime AS r
          WHERE r.id = t.runtime_id
      ) IS NOT TRUE
      -- end redis_era
      AND t.id <> ALL ($4)
    ORDER BY t.dispatched_at, t.id
    LIMIT $5
    FOR NO KEY UPDATE SKIP LOCKED
),
running AS MATERIALIZED (
    SELECT t.id, t.dispatched_at
    FROM agent_task_queue AS t
    WHERE t.status = 'running'
      AND t.dispatched_at >= COALESCE($7, '-infinity'::timestamptz)
      AND t.dispatched_at < $1 - make_interval(secs => $3)
      AND t.started_at < $1 - make_interval(secs => $3)
      -- feature redis_era
      AND (
          SELECT COALESCE(r.last_seen_at, r.updated_at) >= $1 - make_interval(secs => $9)
          FROM agent_runtime AS r
          WHERE r.id = t.runtime_id
      ) IS NOT TRUE
      -- end redis_era
      AND t.id <> ALL ($4)
    ORDER BY t.dispatched_at, t.id
    LIMIT $5 - (SELECT count(*) FROM dispatched)
    FOR NO KEY UPDATE SKIP LOCKED
),
running_ahead AS MATERIALIZED (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.status = 'running'
      AND t.dispatched_at > $1
      AND t.started_at < $1 - make_interval(secs => $3)
      -- feature redis_era
      AND (
          SELECT COALESCE(r.last_seen_at, r.updated_at) >= $1 - make_interval(secs => $9)
          FROM agent_runtime AS r
          WHERE r.id = t.runtime_id
      ) IS NOT TRUE
      -- end redis_era
      AND t.id <> ALL ($4)
    ORDER BY t.dispatched_at, t.id
    LIMIT $5 - (SELECT count(*) FROM dispatched) - (SELECT count(*) FROM running)
    FOR NO KEY UPDATE SKIP LOCKED
),
undated AS MATERIALIZED (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.status = 'running'
      AND t.dispatched_at IS NULL
      AND t.started_at < $1 - make_interval(secs => $3)
      -- feature redis_era
      AND (
          SELECT COALESCE(r.last_seen_at, r.updated_at) >= $1 - make_interval(secs => $9)
          FROM agent_runtime AS r
          WHERE r.id = t.runtime_id
      ) IS NOT TRUE
      -- end redis_era
      AND t.id <> ALL ($4)
    ORDER BY t.dispatched_at, t.id
    LIMIT $5 - (SELECT count(*) FROM dispatched) - (SELECT count(*) FROM running) - (SELECT count(*) FROM running_ahead)
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT d.id, d.dispatched_at AS dispatched_through, NULL::timestamptz AS running_through FROM dispatched AS d
UNION ALL
SELECT r.id, NULL::timestamptz, r.dispatched_at FROM running AS r
UNION ALL
SELECT a.id, NULL::timestamptz, NULL::timestamptz FROM running_ahead AS a
UNION ALL
SELECT u.id, NULL::timestamptz, NULL::timestamptz FROM undated AS u

-- Never waited for: who finds every row held by others counts in a new one. No row: the id drawn for it is taken.
WITH free AS (
    SELECT o.slot FROM multica_sweep_total AS o ORDER BY o.slot LIMIT 1 FOR UPDATE SKIP LOCKED
), counted AS (
    UPDATE multica_sweep_total AS t
    SET sweeps = t.sweeps + 1::bigint,
        runtimes_offline = t.runtimes_offline + $2,
        tasks_failed = t.tasks_failed + $3,
        tasks_timed_out = t.tasks_timed_out + $4,
        tasks_retried = t.tasks_retried + $5,
        issues_reset = t.issues_reset + $6,
        agents_reconciled = t.agents_reconciled + $7,
        runtimes_deleted = t.runtimes_deleted + $8
    WHERE t.slot = (SELECT f.slot FROM free AS f)
    RETURNING t.slot
), added AS (
    INSERT INTO multica_sweep_total (
        since, sweeps, runtimes_offline, tasks_failed, tasks_timed_out, tasks_retried, issues_reset, agents_reconciled,
        runtimes_deleted
    )
    SELECT $1, 1, $2, $3, $4, $5, $6, $7, $8
    WHERE NOT EXISTS (SELECT FROM counted)
    ON CONFLICT DO NOTHING
    RETURNING slot
)
SELECT c.slot FROM counted AS c
UNION ALL
SELECT a.slot FROM added AS a

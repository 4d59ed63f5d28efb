-- Adds to the row $1, which the caller has locked; where every row is held by others, a new one counts. No row: the id drawn for
-- it is taken.
WITH counted AS (
    UPDATE multica_sweep_total AS t
    SET sweeps = t.sweeps + 1::bigint,
        runtimes_offline = t.runtimes_offline + $3,
        tasks_failed = t.tasks_failed + $4,
        tasks_timed_out = t.tasks_timed_out + $5,
        tasks_retried = t.tasks_retried + $6,
        issues_reset = t.issues_reset + $7,
        agents_reconciled = t.agents_reconciled + $8,
        runtimes_deleted = t.runtimes_deleted + $9
    WHERE t.slot = $1
    RETURNING t.slot
), added AS (
    INSERT INTO multica_sweep_total (
        since, sweeps, runtimes_offline, tasks_failed, tasks_timed_out, tasks_retried, issues_reset, agents_reconciled,
        runtimes_deleted
    )
    SELECT $2, 1, $3, $4, $5, $6, $7, $8, $9
    WHERE NOT EXISTS (SELECT FROM counted)
    ON CONFLICT DO NOTHING
    RETURNING slot
)
SELECT c.slot FROM counted AS c
UNION ALL
SELECT a.slot FROM added AS a

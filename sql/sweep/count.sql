-- Adds to the row $1, which the caller has locked; if $1 is NULL because other sessions hold every row, makes a new row. Returns no
-- row if the id that was drawn for the new row is already taken. $3: 0 if another transaction has counted the sweep.
WITH counted AS (
    UPDATE multica_sweep_total AS t
    SET sweeps = t.sweeps + $3,
        runtimes_offline = t.runtimes_offline + $4,
        tasks_failed = t.tasks_failed + $5,
        tasks_timed_out = t.tasks_timed_out + $6,
        tasks_retried = t.tasks_retried + $7,
        issues_reset = t.issues_reset + $8,
        agents_reconciled = t.agents_reconciled + $9,
        runtimes_deleted = t.runtimes_deleted + $10
    WHERE t.slot = $1
    RETURNING t.slot
), added AS (
    INSERT INTO multica_sweep_total (
        since, sweeps, runtimes_offline, tasks_failed, tasks_timed_out, tasks_retried, issues_reset, agents_reconciled,
        runtimes_deleted
    )
    SELECT $2, $3, $4, $5, $6, $7, $8, $9, $10
    WHERE NOT EXISTS (SELECT FROM counted)
    ON CONFLICT DO NOTHING
    RETURNING slot
)
SELECT c.slot FROM counted AS c
UNION ALL
SELECT a.slot FROM added AS a

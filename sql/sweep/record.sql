-- The caller has locked the row.
UPDATE multica_sweep_state AS s
SET last_sweep_at = $1, last_sweep_ms = $2, runtimes_offline = $3, tasks_failed = $4, tasks_timed_out = $5,
    tasks_retried = $6, issues_reset = $7, agents_reconciled = $8, runtimes_deleted = $9

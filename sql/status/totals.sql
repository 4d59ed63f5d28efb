-- Returns what sweeps did since the beginning.
SELECT
    COALESCE(sum(t.sweeps), 0)::bigint AS total_sweeps,
    COALESCE(sum(t.runtimes_offline), 0)::bigint AS total_runtimes_offline,
    COALESCE(sum(t.tasks_failed), 0)::bigint AS total_tasks_failed,
    COALESCE(sum(t.tasks_timed_out), 0)::bigint AS total_tasks_timed_out,
    COALESCE(sum(t.tasks_retried), 0)::bigint AS total_tasks_retried,
    COALESCE(sum(t.issues_reset), 0)::bigint AS total_issues_reset,
    COALESCE(sum(t.agents_reconciled), 0)::bigint AS total_agents_reconciled,
    COALESCE(sum(t.runtimes_deleted), 0)::bigint AS total_runtimes_deleted,
    min(t.since) AS totals_since
FROM multica_sweep_total AS t

-- One row, written by whoever sweeps and never waited for.
CREATE TABLE multica_sweep_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_sweep_at timestamptz,
    last_sweep_ms double precision,
    runtimes_offline bigint NOT NULL DEFAULT 0,
    tasks_failed bigint NOT NULL DEFAULT 0,
    tasks_timed_out bigint NOT NULL DEFAULT 0,
    tasks_retried bigint NOT NULL DEFAULT 0,
    issues_reset bigint NOT NULL DEFAULT 0,
    agents_reconciled bigint NOT NULL DEFAULT 0,
    runtimes_deleted bigint NOT NULL DEFAULT 0,
    last_error text,
    last_error_at timestamptz,
    refused_ids uuid[] NOT NULL DEFAULT '{}',
    refused_until timestamptz,
    events_trimmed_to bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

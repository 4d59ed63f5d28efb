-- One row, which every sweep writes, but for whose lock no sweep waits.
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
    events_trimmed_to bigint NOT NULL DEFAULT 0,
    refused_event_ids bigint[] NOT NULL DEFAULT '{}',
    events_lost int8multirange NOT NULL DEFAULT '{}',
    events_home text,
    finished_to timestamptz,
    finished_id uuid,
    held_since timestamptz,
    timeline text
) WITH (fillfactor = 50);

COMMENT ON TABLE multica_sweep_state IS 'one row: the last sweep that did something, and what the next sweep needs';
COMMENT ON COLUMN multica_sweep_state.refused_ids IS
    'runtimes and tasks that could not be written; sweeps try them again after refused_until';
COMMENT ON COLUMN multica_sweep_state.events_trimmed_to IS 'id of the last event that was trimmed; reading from before it is an error';
COMMENT ON COLUMN multica_sweep_state.refused_event_ids IS
    'events up to events_trimmed_to that could not be deleted; sweeps try them again after refused_until';
COMMENT ON COLUMN multica_sweep_state.events_lost IS 'ids that no event of this log has, although a reader of another log may hold them';
COMMENT ON COLUMN multica_sweep_state.events_home IS
    'server, timeline, database and table of the event log; in any other place the log restarts';
COMMENT ON COLUMN multica_sweep_state.finished_to IS
    'end of the last failed task that sweeps have searched for what the server left undone';
COMMENT ON COLUMN multica_sweep_state.finished_id IS 'id of this task, of those that ended at the same time';
COMMENT ON COLUMN multica_sweep_state.held_since IS 'time since which sweeps last held verdicts, to give daemons time for a heartbeat';
COMMENT ON COLUMN multica_sweep_state.timeline IS 'timeline of the last sweep that did something; another one means a promotion';

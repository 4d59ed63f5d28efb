-- A minimal queue on Postgres: one table, one index, four statements, no events, no agents, and no rules about which
-- worker may claim which task. Postgres' documentation recommends SKIP LOCKED for such queues:
-- https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE
CREATE TABLE job (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    status text NOT NULL DEFAULT 'queued',
    context jsonb NOT NULL,
    result jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    dispatched_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX ON job (id) WHERE status = 'queued';

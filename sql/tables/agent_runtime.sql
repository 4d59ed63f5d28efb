-- The fillfactor leaves room in every page, because a heartbeat is a heap-only update only if the new row version fits into the
-- page of the old one.
CREATE TABLE agent_runtime (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
    daemon_id text,
    name text NOT NULL,
    runtime_mode text NOT NULL CHECK (runtime_mode = ANY ('{local,cloud}'::text[])),
    provider text NOT NULL,
    status text NOT NULL DEFAULT 'offline' CHECK (status = ANY ('{online,offline}'::text[])),
    device_info text NOT NULL DEFAULT '',
    metadata jsonb NOT NULL DEFAULT '{}',
    last_seen_at timestamptz,
    owner_id uuid REFERENCES "user" (id),
    legacy_daemon_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, daemon_id, provider)
) WITH (fillfactor = 50);

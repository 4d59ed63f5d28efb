CREATE TABLE agent (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    avatar_url text,
    runtime_mode text NOT NULL CHECK (runtime_mode = ANY ('{local,cloud}'::text[])),
    runtime_config jsonb NOT NULL DEFAULT '{}',
    -- feature unbound
    runtime_id uuid REFERENCES agent_runtime (id) ON DELETE RESTRICT,
    -- end unbound
    -- without unbound
    --| runtime_id uuid NOT NULL REFERENCES agent_runtime (id) ON DELETE RESTRICT,
    -- end unbound
    visibility text NOT NULL DEFAULT 'private' CHECK (visibility = ANY ('{workspace,private}'::text[])),
    status text NOT NULL DEFAULT 'offline' CHECK (status = ANY ('{idle,working,blocked,error,offline}'::text[])),
    max_concurrent_tasks integer NOT NULL DEFAULT 6,
    owner_id uuid REFERENCES "user" (id),
    instructions text NOT NULL DEFAULT '',
    archived_at timestamptz,
    archived_by uuid REFERENCES "user" (id),
    custom_env jsonb NOT NULL DEFAULT '{}',
    custom_args jsonb NOT NULL DEFAULT '[]',
    mcp_config jsonb,
    model text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, name)
) WITH (fillfactor = 70);

CREATE TABLE chat_session (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
    agent_id uuid NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    creator_id uuid NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    title text NOT NULL DEFAULT '',
    session_id text,
    work_dir text,
    status text NOT NULL DEFAULT 'active' CHECK (status = ANY ('{active,archived}'::text[])),
    unread_since timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

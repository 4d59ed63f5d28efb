CREATE TABLE autopilot (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
    -- feature run_priority
    project_id uuid,
    -- end run_priority
    title text NOT NULL,
    description text,
    assignee_id uuid NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    -- feature run_priority
    priority text NOT NULL DEFAULT 'medium',
    -- end run_priority
    status text NOT NULL DEFAULT 'active' CHECK (status = ANY ('{active,paused,archived}'::text[])),
    execution_mode text NOT NULL DEFAULT 'create_issue' CHECK (execution_mode = ANY ('{create_issue,run_only}'::text[])),
    issue_title_template text,
    created_by_type text NOT NULL CHECK (created_by_type = ANY ('{member,agent}'::text[])),
    created_by_id uuid NOT NULL,
    last_run_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

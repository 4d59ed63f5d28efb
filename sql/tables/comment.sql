CREATE TABLE comment (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    issue_id uuid NOT NULL REFERENCES issue (id) ON DELETE CASCADE,
    workspace_id uuid NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
    author_type text NOT NULL CHECK (author_type = ANY ('{member,agent}'::text[])),
    author_id uuid NOT NULL,
    content text NOT NULL,
    type text NOT NULL DEFAULT 'comment' CHECK (type = ANY ('{comment,status_change,progress_update,system}'::text[])),
    parent_id uuid REFERENCES comment (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE workspace (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    description text,
    settings jsonb NOT NULL DEFAULT '{}',
    context text,
    repos jsonb NOT NULL DEFAULT '[]',
    issue_prefix text NOT NULL DEFAULT '',
    issue_counter integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

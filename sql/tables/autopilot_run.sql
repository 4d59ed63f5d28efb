-- No default is declared for status, because the server's default is a value that its own CHECK rejects.
CREATE TABLE autopilot_run (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    autopilot_id uuid NOT NULL REFERENCES autopilot (id) ON DELETE CASCADE,
    trigger_id uuid,
    source text NOT NULL CHECK (source = ANY ('{schedule,manual,webhook,api}'::text[])),
    status text NOT NULL CHECK (status = ANY ('{issue_created,running,completed,failed}'::text[])),
    issue_id uuid REFERENCES issue (id) ON DELETE SET NULL,
    task_id uuid,
    triggered_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    failure_reason text,
    trigger_payload jsonb,
    result jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

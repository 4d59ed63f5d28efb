-- The columns that the server's migrations from 055 on added are in sql/tables/additions and sql/tables/later, because they come last.
-- The fillfactor leaves room in every page, because a task is updated several times before it ends.
CREATE TABLE agent_task_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    agent_id uuid NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    -- feature unbound
    runtime_id uuid REFERENCES agent_runtime (id) ON DELETE CASCADE,
    -- end unbound
    -- without unbound
    --| runtime_id uuid NOT NULL REFERENCES agent_runtime (id) ON DELETE CASCADE,
    -- end unbound
    issue_id uuid REFERENCES issue (id) ON DELETE CASCADE,
    chat_session_id uuid REFERENCES chat_session (id) ON DELETE SET NULL,
    autopilot_run_id uuid REFERENCES autopilot_run (id) ON DELETE SET NULL,
    trigger_comment_id uuid REFERENCES comment (id) ON DELETE SET NULL,
    status text NOT NULL DEFAULT 'queued'
        -- feature deferred
        CHECK (status = ANY ('{queued,dispatched,running,completed,failed,cancelled,waiting_local_directory,deferred}'::text[])),
        -- end deferred
        -- without deferred
        --| CHECK (status = ANY ('{queued,dispatched,running,completed,failed,cancelled}'::text[])),
        -- end deferred
    priority integer NOT NULL DEFAULT 0,
    dispatched_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    result jsonb,
    error text,
    context jsonb,
    session_id text,
    work_dir text,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

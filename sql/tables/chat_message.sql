CREATE TABLE chat_message (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    chat_session_id uuid NOT NULL REFERENCES chat_session (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role = ANY ('{user,assistant}'::text[])),
    content text NOT NULL,
    task_id uuid,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE "user" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    email text NOT NULL UNIQUE,
    avatar_url text,
    onboarded_at timestamptz,
    onboarding_questionnaire jsonb NOT NULL DEFAULT '{}',
    cloud_waitlist_email varchar(254),
    cloud_waitlist_reason text,
    starter_content_state text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE multica_event_reader (
    reader text PRIMARY KEY,
    last_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    taken_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

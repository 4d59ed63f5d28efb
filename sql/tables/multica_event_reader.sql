CREATE TABLE multica_event_reader (
    reader text PRIMARY KEY,
    last_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    taken_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

COMMENT ON TABLE multica_event_reader IS 'position of each named reader of multica_take_events';
COMMENT ON COLUMN multica_event_reader.last_id IS 'id of the last event that the reader has taken';

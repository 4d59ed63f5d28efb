-- Without foreign keys: a key to a server's table would be an obstacle to the server's migrations. A sweep deletes the rows of
-- runtimes that are gone. A row is written when another process registers, which is rare, so no space is left for updates.
CREATE TABLE multica_runtime_incarnation (
    runtime_id uuid PRIMARY KEY,
    incarnation uuid NOT NULL,
    registered_at timestamptz NOT NULL,
    replaced uuid[] NOT NULL DEFAULT '{}'
);

COMMENT ON TABLE multica_runtime_incarnation IS 'daemon process that has registered each runtime';
COMMENT ON COLUMN multica_runtime_incarnation.incarnation IS 'incarnation of the process, made at its start';
COMMENT ON COLUMN multica_runtime_incarnation.registered_at IS 'time at which the process registered first';
COMMENT ON COLUMN multica_runtime_incarnation.replaced IS 'incarnations of the processes before it, the last one first';

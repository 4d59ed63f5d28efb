-- Without foreign keys, like multica_runtime_incarnation. A row is written when a runtime comes back, which is rare, so no space is
-- left for updates. A sweep deletes the rows of runtimes that are gone.
CREATE TABLE multica_runtime_return (
    runtime_id uuid PRIMARY KEY,
    returned_at timestamptz NOT NULL
);

COMMENT ON TABLE multica_runtime_return IS 'time since which each runtime is there again';
COMMENT ON COLUMN multica_runtime_return.returned_at IS
'time at which the runtime was registered, or set online by a heartbeat or a claim after it was offline';

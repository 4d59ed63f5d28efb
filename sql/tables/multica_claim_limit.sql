-- Without foreign keys, like multica_runtime_incarnation. Claims lock the rows, and do not write them.
CREATE TABLE multica_claim_limit (
    scope text NOT NULL CHECK (scope = ANY ('{runtime,provider,workspace}'::text[])),
    key text NOT NULL,
    max_in_flight integer NOT NULL CHECK (max_in_flight >= 0),
    PRIMARY KEY (scope, key)
);

COMMENT ON TABLE multica_claim_limit IS 'limits of tasks in flight, which claims obey; multica_limit() sets them';
COMMENT ON COLUMN multica_claim_limit.scope IS 'what the limit is for: runtime, provider or workspace';
COMMENT ON COLUMN multica_claim_limit.key IS 'id of the runtime or workspace, or name of the provider in lower case';
COMMENT ON COLUMN multica_claim_limit.max_in_flight IS 'how many tasks may be in flight at a time; 0: none is claimed';

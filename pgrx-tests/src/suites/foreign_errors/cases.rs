//! Foreign errors: errors that a user's trigger, constraint or setting, or Postgres itself, raises below a call.

/// One error, which a statement of a user and the statement of a call both raise.
pub struct Case {
    pub name: &'static str,
    /// The options of BEGIN.
    pub begin: &'static str,
    /// The objects that cause the error.
    pub setup: &'static str,
    /// What another database session does after that.
    pub meanwhile: &'static str,
    /// The role or settings of the caller, after the setup.
    pub as_caller: &'static str,
    /// The statement of a user.
    pub plain: &'static str,
    /// The call.
    pub through: &'static str,
    pub sqlstate: &'static str,
    /// The hint that the extension adds.
    pub hint: Option<&'static str>,
}

const START: &str = "SELECT multica_start('00000000-0000-4000-8000-0000000000e1')";
const PLAIN: &str = "UPDATE agent_task_queue SET status = 'running', started_at = now()
                     WHERE id = '00000000-0000-4000-8000-0000000000e1'";

/// The start of a task, which the setup makes fail.
const STARTED: Case = Case {
    name: "",
    begin: "",
    setup: "",
    meanwhile: "",
    as_caller: "",
    plain: PLAIN,
    through: START,
    sqlstate: "",
    hint: None,
};

/// With row-level security, a call runs with the privileges of its caller.
macro_rules! as_caller {
    ($setup:expr) => {
        concat!(
            "ALTER TABLE agent_task_queue ENABLE ROW LEVEL SECURITY;
             CREATE POLICY everything ON agent_task_queue USING (true);",
            $setup
        )
    };
}

macro_rules! trigger {
    ($body:literal) => {
        concat!(
            "CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ",
            $body,
            "; RETURN NEW; END $$;
             CREATE TRIGGER boom BEFORE UPDATE ON agent_task_queue FOR EACH ROW EXECUTE FUNCTION boom()"
        )
    };
}

/// Every case.
pub const CASES: &[Case] = &[
    Case {
        name: "a trigger's RAISE with every field set",
        setup: trigger!(
            "RAISE EXCEPTION USING ERRCODE = 'MY001', MESSAGE = 'no', DETAIL = 'because', HINT = 'do not',
             SCHEMA = 's', TABLE = 't', COLUMN = 'c', DATATYPE = 'd', CONSTRAINT = 'k'"
        ),
        sqlstate: "MY001",
        ..STARTED
    },
    Case {
        name: "a trigger's permission denied has no hint of the extension",
        setup: trigger!("RAISE 'permission denied for table mine' USING ERRCODE = '42501'"),
        sqlstate: "42501",
        ..STARTED
    },
    Case {
        name: "a privilege that a trigger lacks is not one of the call",
        setup: as_caller!(concat!(
            "CREATE TABLE secret (); CREATE ROLE role_of_daemons; SELECT multica_grant('role_of_daemons', 'daemon');",
            trigger!("PERFORM FROM secret")
        )),
        as_caller: "SET LOCAL ROLE role_of_daemons",
        sqlstate: "42501",
        ..STARTED
    },
    Case {
        name: "a trigger's missing table is no table of the extension",
        setup: trigger!("PERFORM FROM nothing_such"),
        sqlstate: "42P01",
        ..STARTED
    },
    Case {
        name: "division by zero in a trigger",
        setup: trigger!("PERFORM 1 / 0"),
        sqlstate: "22012",
        ..STARTED
    },
    Case {
        name: "syntax error in a trigger, with its query and position",
        setup: trigger!("EXECUTE 'SELECT 1 SELEC 2'"),
        sqlstate: "42601",
        ..STARTED
    },
    Case {
        name: "check",
        setup: concat!(
            "ALTER TABLE agent_task_queue ADD CONSTRAINT never CHECK (status <> 'running');",
            trigger!("NEW.started_at := NULL")
        ),
        sqlstate: "23514",
        ..STARTED
    },
    Case {
        name: "not null",
        setup: trigger!("NEW.started_at := NULL; NEW.agent_id := NULL"),
        sqlstate: "23502",
        ..STARTED
    },
    Case {
        name: "foreign key",
        setup: "CREATE TABLE known (status text PRIMARY KEY);
                INSERT INTO known SELECT DISTINCT status FROM agent_task_queue;
                ALTER TABLE agent_task_queue ADD CONSTRAINT is_known FOREIGN KEY (status) REFERENCES known",
        sqlstate: "23503",
        ..STARTED
    },
    Case {
        name: "unique",
        setup: "CREATE UNIQUE INDEX one_of_each ON agent_task_queue ((status || agent_id));
                UPDATE agent_task_queue SET status = 'running', agent_id = '00000000-0000-4000-8000-0000000000c1'
                WHERE id = '00000000-0000-4000-8000-0000000000e2'",
        sqlstate: "23505",
        ..STARTED
    },
    Case {
        name: "domain",
        setup: "CREATE DOMAIN word AS text CONSTRAINT short CHECK (length(VALUE) < 3);
                CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM NEW.status::word; RETURN NEW; END $$;
                CREATE TRIGGER boom BEFORE UPDATE ON agent_task_queue FOR EACH ROW EXECUTE FUNCTION boom()",
        sqlstate: "23514",
        ..STARTED
    },
    Case {
        name: "statement timeout",
        setup: trigger!("PERFORM pg_sleep(60)"),
        as_caller: "SET LOCAL statement_timeout = '50ms'",
        sqlstate: "57014",
        ..STARTED
    },
    Case {
        name: "cancel",
        setup: trigger!("PERFORM pg_cancel_backend(pg_backend_pid()), pg_sleep(60)"),
        sqlstate: "57014",
        ..STARTED
    },
    Case {
        name: "lock timeout",
        meanwhile: "BEGIN; SELECT FROM agent_task_queue WHERE id = '00000000-0000-4000-8000-0000000000e1' FOR UPDATE",
        as_caller: "SET LOCAL lock_timeout = '20ms'",
        sqlstate: "55P03",
        ..STARTED
    },
    Case {
        name: "serialization failure",
        begin: "ISOLATION LEVEL REPEATABLE READ",
        setup: "SELECT 1",
        // If a table has a trigger, Postgres raises this error at another place of its source.
        meanwhile: "UPDATE agent_runtime SET name = name",
        plain: "UPDATE agent_runtime SET last_seen_at = now() WHERE id = '00000000-0000-4000-8000-0000000000b1'",
        through: "SELECT multica_heartbeat('00000000-0000-4000-8000-0000000000b1')",
        sqlstate: "40001",
        ..STARTED
    },
    Case {
        name: "permission",
        setup: as_caller!(
            "CREATE ROLE role_without_grants; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO role_without_grants"
        ),
        as_caller: "SET LOCAL ROLE role_without_grants",
        sqlstate: "42501",
        hint: Some(
            "multica_start needs the capability daemon, which the owner of the extension or a superuser can grant: SELECT multica_grant('the_role', 'daemon');",
        ),
        ..STARTED
    },
    Case {
        name: "read-only transaction",
        begin: "READ ONLY",
        sqlstate: "25006",
        ..STARTED
    },
    Case {
        name: "index row size",
        setup: "CREATE INDEX too_large ON agent_task_queue (work_dir)",
        plain: "UPDATE agent_task_queue SET work_dir = (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 1000) AS g)
                WHERE id = '00000000-0000-4000-8000-0000000000e1'",
        through: "SELECT multica_pin_session('00000000-0000-4000-8000-0000000000e1', work_dir =>
                      (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 1000) AS g))",
        sqlstate: "54000",
        ..STARTED
    },
    Case {
        name: "division by zero in a user's default",
        setup: "CREATE FUNCTION zero() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 0; END';
                ALTER TABLE agent_task_queue ADD COLUMN share integer;
                ALTER TABLE agent_task_queue ALTER COLUMN share SET DEFAULT 1 / zero()",
        plain: "INSERT INTO agent_task_queue (agent_id, runtime_id)
                VALUES ('00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000b1')",
        through: "SELECT multica_enqueue('00000000-0000-4000-8000-0000000000c1', '{}')",
        sqlstate: "22012",
        ..STARTED
    },
];

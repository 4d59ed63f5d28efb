//! Adoption of a database of the server.

use anyhow::{Result, ensure};

use super::support::{BEFORE_055, all_adopted, dry_run, install, rows, same, server, value, with_action};
use crate::context::Context;

/// Adoption creates only the extension's own indexes and tables, and changes no row.
pub fn adoption_keeps_every_row(context: &Context) -> Result<()> {
    let database = server(context, "")?;
    let mut client = database.connect()?;
    let before = rows(&mut client)?;
    ensure!(before.len() > 200, "the fixture has too few rows");
    let steps = install(&mut client)?;
    let created = with_action(&steps, "created");
    ensure!(
        created.iter().all(|object| object.starts_with("multica_") || object.contains(".multica_")),
        "install created objects that are not its own: {created:?}"
    );
    ensure!(with_action(&steps, "missing").is_empty(), "install reports missing objects: {steps:?}");
    same("the rows", &rows(&mut client)?, &before)?;
    all_adopted(&install(&mut client)?)?;
    let swept: i64 = value(&mut client, "SELECT tasks_failed FROM multica_sweep()")?;
    ensure!(swept == 18, "the sweep failed {swept} tasks");
    Ok(())
}

/// The server's statement of migration 055 fails if its columns exist. Install adds the columns and records the
/// migration, so that the server's migrator skips it.
pub fn migrator_skips_added_columns(context: &Context) -> Result<()> {
    let database = server(context, BEFORE_055)?;
    let mut client = database.connect()?;
    let before: i64 = value(&mut client, "SELECT count(*) FROM agent_task_queue")?;
    let steps = install(&mut client)?;
    ensure!(with_action(&steps, "altered") == ["agent_task_queue", "schema_migrations"], "{steps:?}");
    for column in ["attempt", "max_attempts", "parent_task_id", "failure_reason", "last_heartbeat_at"] {
        let object = format!("agent_task_queue.{column}");
        ensure!(with_action(&steps, "created").contains(&object.as_str()), "{object} was not added");
    }
    ensure!(
        with_action(&steps, "created").contains(&"multica_task_parent"),
        "the index of the foreign key was not added"
    );
    let filled: i64 = value(
        &mut client,
        "SELECT count(*) FROM agent_task_queue WHERE attempt = 1 AND max_attempts = 2 AND parent_task_id IS NULL",
    )?;
    ensure!(filled == before, "only {filled} of {before} rows have the migration's defaults");
    let server_statement = "ALTER TABLE agent_task_queue ADD COLUMN attempt INT NOT NULL DEFAULT 1";
    let error = client.batch_execute(server_statement).expect_err("the server's statement succeeded");
    ensure!(error.code().is_some_and(|code| code.code() == "42701"), "{error}");
    client.batch_execute(&format!(
        "DO $$ BEGIN
             IF NOT EXISTS (SELECT FROM schema_migrations WHERE version = '055_task_lease_and_retry') THEN
                 {server_statement};
             END IF;
         END $$"
    ))?;
    let key: String = value(
        &mut client,
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'agent_task_queue_parent_task_id_fkey'",
    )?;
    ensure!(key.ends_with("REFERENCES agent_task_queue(id) ON DELETE SET NULL"), "{key}");
    all_adopted(&install(&mut client)?)
}

/// Columns, triggers, indexes, checks and tables that this version does not know are kept.
pub fn install_keeps_unknown_objects(context: &Context) -> Result<()> {
    let database = server(
        context,
        "ALTER TABLE agent_task_queue ADD COLUMN wakes_at timestamptz, ADD COLUMN squad text DEFAULT 'none';
         ALTER TABLE issue ADD CONSTRAINT title_is_short CHECK (length(title) < 500);
         CREATE INDEX idx_task_wakes ON agent_task_queue (wakes_at) WHERE wakes_at IS NOT NULL;
         CREATE UNIQUE INDEX idx_runtime_name ON agent_runtime (workspace_id, name);
         CREATE TABLE squad (id uuid PRIMARY KEY);
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS
             $$ BEGIN NEW.updated_at := NEW.updated_at; RETURN NEW; END $$;
         CREATE TRIGGER touch BEFORE UPDATE ON issue FOR EACH ROW EXECUTE FUNCTION touch()",
    )?;
    let mut client = database.connect()?;
    let before = rows(&mut client)?;
    let objects = "SELECT count(*) FROM pg_depend AS d JOIN pg_class AS c ON c.oid = d.refobjid
                   WHERE c.relname IN ('agent_task_queue', 'issue', 'squad') AND d.classid = 'pg_trigger'::regclass
                     AND d.objid <> ALL (SELECT t.oid FROM pg_trigger AS t WHERE t.tgname LIKE 'multica%')";
    let triggers: i64 = value(&mut client, objects)?;
    let steps = install(&mut client)?;
    ensure!(with_action(&steps, "missing").is_empty(), "{steps:?}");
    same("the rows", &rows(&mut client)?, &before)?;
    ensure!(value::<i64>(&mut client, objects)? == triggers, "install added or removed triggers");
    client.execute("SELECT wakes_at, squad FROM agent_task_queue", &[])?;
    client.execute("SELECT FROM multica_sweep()", &[])?;
    all_adopted(&install(&mut client)?)
}

/// A DBA runs the statements of a dry run with CONCURRENTLY and under other names. Install builds none of these indexes
/// again.
pub fn index_built_by_hand_is_adopted(context: &Context) -> Result<()> {
    let database = server(context, "")?;
    let mut client = database.connect()?;
    let planned = dry_run(&mut client)?;
    let indexes: Vec<&str> = planned
        .iter()
        .filter(|step| step.action == "created")
        .filter_map(|step| step.ddl.as_deref())
        .filter(|ddl| ddl.starts_with("CREATE INDEX"))
        .collect();
    ensure!(indexes.len() > 5, "only {indexes:?} are missing");
    for (at, ddl) in indexes.iter().enumerate() {
        let (_, rest) = ddl.split_once(" ON ").expect("an index is on a table");
        client.batch_execute(&format!("CREATE INDEX CONCURRENTLY by_hand_{at} ON {rest}"))?;
    }
    let count = "SELECT count(*) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
                 WHERE c.relname IN ('agent', 'agent_task_queue')";
    let before: i64 = value(&mut client, count)?;
    let steps = install(&mut client)?;
    ensure!(value::<i64>(&mut client, count)? == before, "install built an index again");
    let adopted = with_action(&steps, "adopted");
    for at in 0..indexes.len() {
        let name = format!("by_hand_{at}");
        ensure!(adopted.contains(&name.as_str()), "{name} was not adopted");
    }
    Ok(())
}

/// An index with additional keys is adopted. An index over all tasks is not adopted in place of one over active tasks,
/// because a search in its order reads finished tasks too.
pub fn wider_index_is_adopted_and_index_with_history_is_not(context: &Context) -> Result<()> {
    let database = server(
        context,
        "CREATE INDEX wider ON agent_task_queue (runtime_id, status, created_at);
         CREATE INDEX with_history ON agent_task_queue (dispatched_at, id);
         CREATE INDEX spelled ON agent_task_queue (agent_id, dispatched_at)
             WHERE status NOT IN ('completed', 'failed', 'cancelled', 'queued', 'deferred')",
    )?;
    let steps = install(&mut database.connect()?)?;
    let (adopted, created) = (with_action(&steps, "adopted"), with_action(&steps, "created"));
    ensure!(adopted.contains(&"wider"), "{steps:?}");
    ensure!(!created.contains(&"multica_task_runtime"), "{steps:?}");
    ensure!(!adopted.contains(&"with_history"), "{steps:?}");
    // The server's own index (agent_id, status) begins with the same column, but is over all tasks.
    ensure!(created.contains(&"multica_task_in_flight_v2"), "{steps:?}");
    // IN is stored otherwise than the array in the file, and means the same.
    ensure!(adopted.contains(&"spelled") && !created.contains(&"multica_task_busy_v2"), "{steps:?}");
    // An index over all tasks serves where the needed one only leaves out NULL.
    ensure!(adopted.contains(&"idx_agent_task_queue_issue_id"), "{steps:?}");
    ensure!(!created.contains(&"multica_task_issue"), "{steps:?}");
    Ok(())
}

/// The owner of the tables needs only EXECUTE and CREATE to adopt them, and can call every function afterwards.
pub fn table_owner_needs_no_superuser(context: &Context) -> Result<()> {
    let database = server(context, BEFORE_055)?;
    let mut superuser = database.connect()?;
    let owner = Owner::of(&mut superuser, &database.name)?;
    superuser.batch_execute(&format!(
        "GRANT CREATE ON SCHEMA public TO {0}; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO {0}",
        owner.name
    ))?;
    let mut client = database.connect_as(&owner.name)?;
    install(&mut client)?;
    all_adopted(&install(&mut client)?)?;
    client.execute("SELECT FROM multica_sweep()", &[])?;
    ensure!(owner.owns_everything(&mut superuser)?, "some objects do not belong to the owner");
    drop((client, superuser));
    owner.drop_with(database)
}

/// The worker runs as the owner of the tables: objects that a superuser's install creates must belong to that role, and
/// it must be able to call the functions.
pub fn objects_created_by_superuser_belong_to_table_owner(context: &Context) -> Result<()> {
    let database = server(context, "DROP TABLE chat_message; DROP TABLE issue_subscriber")?;
    let mut superuser = database.connect()?;
    let owner = Owner::of(&mut superuser, &database.name)?;
    let steps = install(&mut superuser)?;
    ensure!(with_action(&steps, "altered") == [format!("operator {}", owner.name)], "{steps:?}");
    ensure!(owner.owns_everything(&mut superuser)?, "some objects do not belong to the owner");
    all_adopted(&install(&mut superuser)?)?;
    let mut client = database.connect_as(&owner.name)?;
    client.execute("SELECT FROM multica_sweep()", &[])?;
    drop((client, superuser));
    owner.drop_with(database)
}

/// Without the server's tables, a table schema_migrations belongs to another application.
pub fn foreign_schema_migrations_is_not_written(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY); CREATE EXTENSION multica")?;
    install(&mut client)?;
    install(&mut client)?;
    let versions: i64 = value(&mut client, "SELECT count(*) FROM schema_migrations")?;
    ensure!(versions == 0, "install wrote to the table of another application");
    Ok(())
}

/// A role that owns the tables of one database and has no other privilege.
struct Owner {
    name: String,
}

impl Owner {
    fn of(superuser: &mut postgres::Client, database: &str) -> Result<Self> {
        let name = format!("owner_of_{database}");
        superuser.batch_execute(&format!(
            "CREATE ROLE {name} LOGIN;
             DO $$ DECLARE t regclass; BEGIN
                 FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
                     EXECUTE format('ALTER TABLE %s OWNER TO {name}', t);
                 END LOOP;
             END $$"
        ))?;
        Ok(Self { name })
    }

    fn owns_everything(&self, superuser: &mut postgres::Client) -> Result<bool> {
        let others: i64 = superuser
            .query_one(
                "SELECT count(*) FROM pg_class
                 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i', 'S')
                     AND relowner::regrole::text <> $1",
                &[&self.name],
            )?
            .get(0);
        Ok(others == 0)
    }

    fn drop_with(self, database: crate::database::Database<'_>) -> Result<()> {
        let cluster = database.cluster();
        drop(database);
        cluster.connect("postgres")?.batch_execute(&format!("DROP ROLE {}", self.name))?;
        Ok(())
    }
}

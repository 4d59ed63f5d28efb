//! Capabilities that are granted before install, and capabilities after a restore.

use anyhow::{Result, ensure};

use super::support::{CAPABILITIES, attempt, grant, holder, role, story, world};
use crate::context::Context;
use crate::database::Database;

/// Capabilities can be granted before or after install, also if the extension is in a separate schema. Where a table has
/// row-level security, install grants the privileges on tables that calls then need.
pub fn install_completes_earlier_grants(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut superuser = database.connect()?;
    superuser.batch_execute(
        "CREATE SCHEMA fleet; CREATE EXTENSION multica SCHEMA fleet; SET search_path = fleet;
         CREATE TABLE public.agent (mine text)",
    )?;
    let mut roles = Vec::new();
    for capability in CAPABILITIES {
        let role = role(&database, capability)?;
        grant(&mut superuser, &role, capability)?;
        roles.push((capability, role));
    }
    let done = altered(&mut superuser, false)?;
    ensure!(done.is_empty(), "install granted {done:?} without row-level security");
    superuser.batch_execute(&std::fs::read_to_string(context.fixtures().join("grant/world.sql"))?)?;
    let call_all = |is_refused: bool| -> Result<()> {
        for (capability, role) in &roles {
            let mut client = database.connect_as(role)?;
            client.batch_execute("SET search_path = fleet")?;
            let refused = attempt(&mut client, &story(context, capability)?)?;
            let code = refused.as_ref().map(|(code, _)| code.as_str());
            ensure!(code == is_refused.then_some("42501"), "{capability}: {refused:?}");
            let foreign = attempt(&mut client, "SELECT FROM public.agent")?;
            ensure!(foreign.is_some(), "{role} may read a table that is not of the extension");
        }
        Ok(())
    };
    call_all(false)?;
    superuser.batch_execute(&std::fs::read_to_string(context.fixtures().join("row_security/policies.sql"))?)?;
    call_all(true)?;
    let planned = altered(&mut superuser, true)?;
    let done = altered(&mut superuser, false)?;
    ensure!(done.len() == 3, "install completed {done:?}");
    ensure!(planned == done, "the dry run returned {planned:?}");
    let repeated = altered(&mut superuser, false)?;
    ensure!(repeated.is_empty(), "a second install completed {repeated:?}");
    call_all(false)?;
    superuser.batch_execute(&format!("REVOKE ALL ON agent_task_queue FROM {}", roles[1].1))?;
    let repaired = altered(&mut superuser, false)?;
    ensure!(repaired == [format!("daemon {}", roles[1].1)], "install repaired {repaired:?}");
    Ok(())
}

/// The objects that install returns as altered, in order.
fn altered(client: &mut postgres::Client, dry_run: bool) -> Result<Vec<String>> {
    let rows = client.query(
        "SELECT object FROM multica_install(dry_run => $1) WHERE action = 'altered' ORDER BY object",
        &[&dry_run],
    )?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A restored database must accept the roles that were granted capabilities before the dump.
pub fn dump_keeps_grants(context: &Context) -> Result<()> {
    let database = world(context)?;
    let mut roles = Vec::new();
    for capability in CAPABILITIES {
        roles.push((capability, holder(&database, capability)?));
    }
    let cluster = database.cluster();
    let dump = cluster.socket_folder().join(format!("{}.dump", database.name));
    let file = dump.to_string_lossy();
    cluster.run("pg_dump", &["-Fc", "-f", &file, &database.name])?;
    let restored = Database::create(cluster, "template0", &context.fixtures())?;
    cluster.run("pg_restore", &["--exit-on-error", "-d", &restored.name, &file])?;
    std::fs::remove_file(&dump)?;
    for (capability, role) in roles {
        let mut client = restored.connect_as(&role)?;
        let refused = attempt(&mut client, &story(context, capability)?)?;
        ensure!(refused.is_none(), "{capability}: {refused:?}");
    }
    Ok(())
}

/// The server's tables before migration 055 lack columns that a daemon writes: install adds them and, where a table has
/// row-level security, grants privileges on them.
pub fn install_grants_added_columns(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    database.fixture("server_055")?;
    let mut superuser = database.connect()?;
    superuser.batch_execute(
        "ALTER TABLE agent_task_queue DROP COLUMN attempt, DROP COLUMN max_attempts, DROP COLUMN parent_task_id,
             DROP COLUMN failure_reason, DROP COLUMN last_heartbeat_at;
         DELETE FROM schema_migrations WHERE version = '055_task_lease_and_retry';
         ALTER TABLE issue ENABLE ROW LEVEL SECURITY;
         CREATE EXTENSION multica",
    )?;
    let role = holder(&database, "daemon")?;
    superuser.batch_execute("SELECT FROM multica_install()")?;
    for (column, privilege) in [("attempt", "INSERT"), ("failure_reason", "UPDATE")] {
        let may: bool = superuser
            .query_one(
                "SELECT has_column_privilege($1::text, 'agent_task_queue', $2::text, $3::text)",
                &[&role, &column, &privilege],
            )?
            .get(0);
        ensure!(may, "a daemon may not {privilege} {column}");
    }
    Ok(())
}

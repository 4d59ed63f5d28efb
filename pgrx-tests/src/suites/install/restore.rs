//! Dump and restore, and DROP EXTENSION, keep every row.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::support::{all_adopted, install, lines, newest, rows, same, server, value};
use crate::cluster::Options;
use crate::context::Context;
use crate::database::Database;

/// A dump of a database whose tables install created.
pub fn dump_restores_created_database(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    database.fixture("fleet")?;
    let mut client = database.connect()?;
    client.batch_execute("UPDATE agent_runtime SET last_seen_at = now() - interval '1 day'")?;
    expect_restored(context, &database, SWEEP)
}

/// A dump of a database whose tables install adopted.
pub fn dump_restores_adopted_database(context: &Context) -> Result<()> {
    let database = server(context, "")?;
    install(&mut database.connect()?)?;
    expect_restored(context, &database, SWEEP)
}

/// A dump of a database of the newest generation.
pub fn dump_restores_newest_generation(context: &Context) -> Result<()> {
    let database = newest(context, context.shared()?)?;
    expect_restored(context, &database, DEREGISTER)
}

/// Each of these sets runtimes offline that are online, and returns how many.
const SWEEP: &str = "SELECT runtimes_offline FROM multica_sweep()";
const DEREGISTER: &str = "SELECT multica_deregister(ARRAY(SELECT id FROM agent_runtime))";

/// Restores a dump in a freshly initialised cluster: rows and events are the same, install has nothing to do, and new
/// events continue after those of the dump. The settings of the database are not in the dump.
fn expect_restored(context: &Context, database: &Database<'_>, set_offline: &str) -> Result<()> {
    let mut client = database.connect()?;
    client.execute(set_offline, &[])?;
    let cluster = context.cluster(&Options::new("restored").set("multica.stale_after", "150s"))?;
    cluster.connect("postgres")?.batch_execute("CREATE DATABASE restored TEMPLATE template0")?;
    let mut dump = database
        .cluster()
        .tool("pg_dump")
        .arg(&database.name)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start pg_dump")?;
    let restored = cluster
        .tool("psql")
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", "restored"])
        .stdin(dump.stdout.take().context("pg_dump has an output")?)
        .output()?;
    ensure!(dump.wait()?.success(), "pg_dump failed");
    ensure!(restored.status.success(), "psql: {}", String::from_utf8_lossy(&restored.stderr));
    let mut other = cluster.connect("restored")?;
    same("the rows", &rows(&mut other)?, &rows(&mut client)?)?;
    let events = "SELECT to_jsonb(e)::text FROM multica_events() AS e ORDER BY id";
    let before = lines(&mut client, events)?;
    ensure!(!before.is_empty(), "no event was recorded before the dump");
    same("the events", &lines(&mut other, events)?, &before)?;
    all_adopted(&install(&mut other)?)?;
    other.batch_execute("UPDATE agent_runtime SET status = 'online', last_seen_at = now() - interval '1 day'")?;
    let flipped: i64 = value(&mut other, set_offline)?;
    ensure!(flipped > 0, "no runtime was set offline");
    let after = lines(&mut other, events)?;
    ensure!(after.len() > before.len() && after.starts_with(&before), "new events do not follow the old ones");
    Ok(())
}

/// DROP EXTENSION keeps every row, index and default; a new CREATE EXTENSION and install adopt all of them.
pub fn drop_extension_keeps_every_row(context: &Context) -> Result<()> {
    let adopted = server(context, "")?;
    install(&mut adopted.connect()?)?;
    let created = context.fresh_database()?;
    created.fixture("fleet")?;
    let newest = newest(context, context.shared()?)?;
    for (database, set_offline) in [(adopted, SWEEP), (created, SWEEP), (newest, DEREGISTER)] {
        let mut client = database.connect()?;
        client.execute(set_offline, &[])?;
        let log = "SELECT to_jsonb(e)::text FROM multica_event_log AS e ORDER BY id";
        let before = (rows(&mut client)?, lines(&mut client, log)?);
        let members: i64 = value(
            &mut client,
            "SELECT count(*) FROM pg_depend WHERE deptype = 'e' AND classid = 'pg_class'::regclass
                 AND objid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'S', 'i'))
                 AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'multica')",
        )?;
        ensure!(members == 0, "{members} tables are members of the extension");
        client.batch_execute("DROP EXTENSION multica")?;
        same("the rows", &rows(&mut client)?, &before.0)?;
        same("the events", &lines(&mut client, log)?, &before.1)?;
        client.batch_execute("CREATE EXTENSION multica")?;
        all_adopted(&install(&mut client)?)?;
    }
    Ok(())
}

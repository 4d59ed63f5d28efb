//! What the tests of install share: databases to install into, the rows that install returns, and rows to compare.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;
use postgres::error::DbError;

use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;

/// One row that install returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The object.
    pub object: String,
    /// What install did with it.
    pub action: String,
    /// The statement for it.
    pub ddl: Option<String>,
}

/// A database as the server's migration 055 leaves it, changed by `sql`, with the extension but before install.
pub fn server<'a>(context: &'a Context, sql: &str) -> Result<Database<'a>> {
    let database = context.empty_database()?;
    database.fixture("server_055")?;
    database
        .connect()?
        .batch_execute(&format!("{sql}; CREATE EXTENSION multica"))
        .with_context(|| format!("preparing with {sql}"))?;
    Ok(database)
}

/// The fixture's tables as they were before migration 055.
pub const BEFORE_055: &str = "
    ALTER TABLE agent_task_queue DROP COLUMN attempt, DROP COLUMN max_attempts, DROP COLUMN parent_task_id,
        DROP COLUMN failure_reason, DROP COLUMN last_heartbeat_at;
    DELETE FROM schema_migrations WHERE version = '055_task_lease_and_retry'";

/// Runs install.
pub fn install(client: &mut Client) -> Result<Vec<Step>> {
    steps(client, "SELECT * FROM multica_install()")
}

/// Runs install as a dry run.
pub fn dry_run(client: &mut Client) -> Result<Vec<Step>> {
    steps(client, "SELECT * FROM multica_install(dry_run => true)")
}

fn steps(client: &mut Client, sql: &str) -> Result<Vec<Step>> {
    let step = |row: &postgres::Row| Step { object: row.get("object"), action: row.get("action"), ddl: row.get("ddl") };
    Ok(client.query(sql, &[])?.iter().map(step).collect())
}

/// The objects with this action.
pub fn with_action<'a>(steps: &'a [Step], action: &str) -> Vec<&'a str> {
    steps.iter().filter(|step| step.action == action).map(|step| step.object.as_str()).collect()
}

/// Fails unless install adopted everything and created nothing.
pub fn all_adopted(steps: &[Step]) -> Result<()> {
    ensure!(!steps.is_empty(), "install returned no row");
    let others: Vec<&Step> = steps.iter().filter(|it| it.action != "adopted").collect();
    ensure!(others.is_empty(), "not adopted: {others:#?}");
    Ok(())
}

/// A database of the newest generation in this cluster, with rows of every kind, that install has adopted and whose
/// owner has done what install reports.
pub fn newest<'a>(context: &Context, cluster: &'a Cluster) -> Result<Database<'a>> {
    let generations = context.generations()?;
    let newest = generations.all().last().context("no generation is described")?;
    let database = generations.database(cluster, &newest.name, &context.fixtures())?;
    let mut client = database.connect()?;
    generations.fill(&mut client, newest)?;
    client.batch_execute("CREATE EXTENSION multica")?;
    let steps = install(&mut client)?;
    repair(&mut client, &steps)?;
    all_adopted(&install(&mut database.connect()?)?)?;
    Ok(database)
}

/// Runs the statements of the reported findings.
pub fn repair(client: &mut Client, steps: &[Step]) -> Result<()> {
    for step in steps.iter().filter(|step| step.action == "reported") {
        client.batch_execute(step.ddl.as_deref().context("a report has no statement")?)?;
    }
    Ok(())
}

/// The error of install, which must fail.
pub fn refusal(client: &mut Client) -> Result<DbError> {
    let error = match client.query("SELECT * FROM multica_install()", &[]) {
        Ok(rows) => anyhow::bail!("install was not refused and returned {} rows", rows.len()),
        Err(error) => error,
    };
    Ok(error.as_db_error().context("no error of the server")?.clone())
}

/// Every row of the catalogue about schema public, with the transaction that wrote it.
pub fn catalogue(client: &mut Client) -> Result<Vec<String>> {
    lines(client, include_str!("../../../fixtures/catalogue.sql"))
}

/// Every row of every ordinary table of schema public, without the tables of multica itself.
pub fn rows(client: &mut Client) -> Result<Vec<String>> {
    let tables = lines(
        client,
        "SELECT oid::regclass::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT LIKE 'multica%' ORDER BY 1",
    )?;
    let mut all = Vec::new();
    for table in tables {
        let query = format!("SELECT '{table} ' || to_jsonb(t)::text FROM {table} AS t ORDER BY 1");
        all.extend(lines(client, &query)?);
    }
    Ok(all)
}

/// The first column of a query.
pub fn lines(client: &mut Client, sql: &str) -> Result<Vec<String>> {
    Ok(client.query(sql, &[])?.iter().map(|row| row.get(0)).collect())
}

/// One value.
pub fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, sql: &str) -> Result<T> {
    Ok(client.query_one(sql, &[])?.get(0))
}

/// Fails, and prints the lines that only one side has, unless both sides are the same.
pub fn same(what: &str, left: &[String], right: &[String]) -> Result<()> {
    let only = |one: &[String], other: &[String]| -> Vec<String> {
        one.iter().filter(|it| !other.contains(it)).cloned().collect()
    };
    ensure!(left == right, "{what} differ: only left {:#?}, only right {:#?}", only(left, right), only(right, left));
    Ok(())
}

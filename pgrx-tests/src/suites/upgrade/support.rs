//! Databases that were made by released versions.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use postgres::Client;
use postgres::error::DbError;

use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::database::Database;
use crate::release::{self, Release};

/// The roles in the stored databases, by capability.
pub const ROLES: [(&str, &str); 3] = [("reader", "old_reader"), ("daemon", "old_daemon"), ("operator", "old_operator")];

/// Both steps of an update.
pub const UPDATE: &str = "ALTER EXTENSION multica UPDATE; SELECT FROM multica_install()";

/// A cluster that can create every released version, with the roles of the stored databases.
pub fn cluster(context: &Context, options: &Options) -> Result<Cluster> {
    release::provide(&context.project, &context.copy)?;
    let cluster = context.cluster(options)?;
    for (_, role) in ROLES {
        cluster.connect("postgres")?.batch_execute(&format!("CREATE ROLE {role} LOGIN"))?;
    }
    Ok(cluster)
}

/// A database of a released version, with its times moved to now.
pub fn database_of_release<'a>(context: &Context, cluster: &'a Cluster, release: &Release) -> Result<Database<'a>> {
    let database = context.empty_database_in(cluster)?;
    // In a folder that the user of the server can read.
    let dump = cluster.socket_folder().join("released.sql");
    std::fs::copy(release.database(), &dump)?;
    let arguments = [
        "--no-psqlrc",
        "--quiet",
        "--set",
        "ON_ERROR_STOP=1",
        "--dbname",
        &database.name,
        "--file",
        &dump.to_string_lossy(),
    ];
    cluster.run("psql", &arguments).with_context(|| format!("a database of {}", release.version))?;
    database.fixture("releases/today")?;
    Ok(database)
}

/// The version of the checkout.
pub fn current(cluster: &Cluster) -> Result<String> {
    let sql = "SELECT default_version FROM pg_available_extensions WHERE name = 'multica'";
    Ok(cluster.connect("postgres")?.query_one(sql, &[])?.get(0))
}

/// The error of a statement, which must be refused.
pub fn refusal(client: &mut Client, sql: &str) -> Result<DbError> {
    let error = client.batch_execute(sql).err().with_context(|| format!("not refused: {sql}"))?;
    Ok(error.as_db_error().context("no error of the server")?.clone())
}

/// Fails unless a statement is refused with 55000 and a hint that contains this step.
pub fn refused_with_next_step(client: &mut Client, sql: &str, step: &str) -> Result<()> {
    let error = refusal(client, sql)?;
    ensure!(error.code().code() == "55000" && error.hint().is_some_and(|hint| hint.contains(step)), "{sql}: {error:?}");
    Ok(())
}

/// An update script that exists until this value is dropped.
pub struct Script(PathBuf);

impl Script {
    /// Writes the script between two versions, as `from--to`, beside the installed ones.
    pub fn of(context: &Context, versions: &str, text: &str) -> Result<Script> {
        let file = context.copy.extensions().join(format!("multica--{versions}.sql"));
        std::fs::write(&file, text)?;
        Ok(Script(file))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

//! What every cell uses: one server, and the files of the bench.

use anyhow::{Context as _, Result};
use multica_harness::cluster::Cluster;
use multica_harness::context::Context;
use multica_harness::database::Database;
use multica_harness::speed::{Machine, Results, Server};

use crate::files;
use crate::history::Histories;

/// What every cell uses.
pub struct Bench<'a> {
    /// The extension, built as it is shipped.
    pub context: &'a Context,
    /// The server that is measured.
    pub cluster: &'a Cluster,
    /// The machine that the server runs on.
    pub machine: &'a Machine,
    /// The settings of the server.
    pub server: Server,
    /// Databases with finished tasks.
    pub histories: Histories<'a>,
}

/// Returns a database with the tables of the newest server, without rows, in which the extension is installed.
pub fn server_database<'a>(context: &Context, cluster: &'a Cluster) -> Result<Database<'a>> {
    let generations = context.generations()?;
    let newest = generations.all().last().context("there are generations")?;
    let database = generations.database(cluster, &newest.name, &context.fixtures())?;
    database.connect()?.batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install()")?;
    Ok(database)
}

impl Bench<'_> {
    /// Returns an empty table of results for a cell.
    pub fn results(&self, cell: &str, about: &str, columns: &[&str]) -> Results {
        Results::new(cell, self.server, about, self.machine, columns)
    }

    /// Returns the text of a file of `sql/`.
    pub fn text(&self, name: &str) -> Result<String> {
        files::sql(&self.context.project, name)
    }

    /// Returns a database with the tables of the newest server, without rows, in which the extension is installed.
    pub fn server_database(&self) -> Result<Database<'_>> {
        server_database(self.context, self.cluster)
    }

    /// Writes a checkpoint, so that the writes of earlier work are not measured.
    pub fn settle(&self) -> Result<()> {
        Ok(self.cluster.connect("postgres")?.batch_execute("CHECKPOINT")?)
    }
}

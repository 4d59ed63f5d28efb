//! What every cell uses: one server, and the files of the bench.

use anyhow::Result;
use multica_harness::cluster::Cluster;
use multica_harness::context::Context;
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

impl Bench<'_> {
    /// Returns an empty table of results for a cell.
    pub fn results(&self, cell: &str, about: &str, columns: &[&str]) -> Results {
        Results::new(cell, self.server, about, self.machine, columns)
    }

    /// Returns the text of a file of `sql/`.
    pub fn text(&self, name: &str) -> Result<String> {
        files::sql(&self.context.project, name)
    }

    /// Writes a checkpoint, so that the writes of earlier work are not measured.
    pub fn settle(&self) -> Result<()> {
        Ok(self.cluster.connect("postgres")?.batch_execute("CHECKPOINT")?)
    }
}

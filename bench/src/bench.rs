//! What every cell is given: one server, and the files of the bench.

use anyhow::Result;
use multica_harness::cluster::Cluster;
use multica_harness::context::Context;
use multica_harness::speed::{Machine, Results, Server};

use crate::files;
use crate::history::Histories;

/// What every cell is given.
pub struct Bench<'a> {
    /// The extension, built as it is shipped.
    pub context: &'a Context,
    /// The server that is measured.
    pub cluster: &'a Cluster,
    /// Where that is.
    pub machine: &'a Machine,
    /// Its settings.
    pub server: Server,
    /// Databases with finished tasks.
    pub histories: Histories<'a>,
}

impl Bench<'_> {
    /// Results of a cell, to be filled.
    pub fn results(&self, cell: &str, about: &str, columns: &[&str]) -> Results {
        Results::new(cell, self.server, about, self.machine, columns)
    }

    /// The text of a file of SQL.
    pub fn text(&self, name: &str) -> Result<String> {
        files::sql(&self.context.project, name)
    }

    /// Everything is on its way to the disk before a clock starts.
    pub fn settle(&self) -> Result<()> {
        Ok(self.cluster.connect("postgres")?.batch_execute("CHECKPOINT")?)
    }
}

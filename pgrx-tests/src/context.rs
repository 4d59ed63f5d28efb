//! What a suite is given.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;

use crate::cluster::{Cluster, Options};
use crate::database::{Database, TEMPLATE, create_template};
use crate::postgres_copy::PostgresCopy;
use crate::project::Project;

/// Tasks of a backlog unless another number is asked for.
pub const BACKLOG: usize = 50_000;

/// Access to the checkout, to one cluster that all suites share, and to clusters of a suite's own.
pub struct Context {
    /// The checkout.
    pub project: Project,
    /// The copy of Postgres that has the extension.
    pub copy: PostgresCopy,
    /// Tasks of the backlog that has to fit into memory.
    pub backlog: usize,
    shared: OnceLock<Cluster>,
    starting: Mutex<()>,
}

impl Context {
    /// Starts nothing yet.
    pub fn new(project: Project, copy: PostgresCopy) -> Context {
        Context { project, copy, backlog: BACKLOG, shared: OnceLock::new(), starting: Mutex::new(()) }
    }

    /// The shared cluster. Suites that stop, kill or configure a server make one of their own with `cluster`.
    pub fn shared(&self) -> Result<&Cluster> {
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = self.shared.get() {
            return Ok(cluster);
        }
        let cluster = self.cluster(&Options::new("shared"))?;
        Ok(self.shared.get_or_init(|| cluster))
    }

    /// A cluster of one's own, with the template in it.
    pub fn cluster(&self, options: &Options) -> Result<Cluster> {
        let cluster = Cluster::create(&self.project, &self.copy, options)?;
        create_template(&cluster)?;
        Ok(cluster)
    }

    /// A database of the shared cluster with the extension created and installed.
    pub fn fresh_database(&self) -> Result<Database<'_>> {
        self.fresh_database_in(self.shared()?)
    }

    /// The same in a cluster of one's own.
    pub fn fresh_database_in<'a>(&self, cluster: &'a Cluster) -> Result<Database<'a>> {
        Database::create(cluster, TEMPLATE, &self.fixtures())
    }

    /// A database of the shared cluster with nothing in it.
    pub fn empty_database(&self) -> Result<Database<'_>> {
        self.empty_database_in(self.shared()?)
    }

    /// The same in a cluster of one's own.
    pub fn empty_database_in<'a>(&self, cluster: &'a Cluster) -> Result<Database<'a>> {
        Database::create(cluster, "template0", &self.fixtures())
    }

    /// Folder of the fixtures.
    pub fn fixtures(&self) -> PathBuf {
        self.project.harness().join("fixtures")
    }
}

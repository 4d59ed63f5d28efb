//! What a suite works with: the checkout, the copy of Postgres, and clusters and databases.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;

use crate::cluster::{Cluster, Options};
use crate::database::{Database, TEMPLATE, create_template};
use crate::generations::Generations;
use crate::postgres_copy::PostgresCopy;
use crate::project::Project;

/// The default number of tasks in the backlog.
pub const BACKLOG: usize = 50_000;

/// The checkout, one cluster that all suites share, and functions that make other clusters.
pub struct Context {
    /// The checkout.
    pub project: Project,
    /// The copy of Postgres with the extension.
    pub copy: PostgresCopy,
    /// The number of tasks in the backlog that a sweep must process in limited memory.
    pub backlog: usize,
    shared: OnceLock<Cluster>,
    starting: Mutex<()>,
    generations: OnceLock<Generations>,
}

impl Context {
    /// Returns a context that has not started a cluster yet.
    pub fn new(project: Project, copy: PostgresCopy) -> Context {
        let (shared, generations) = (OnceLock::new(), OnceLock::new());
        Context { project, copy, backlog: BACKLOG, shared, starting: Mutex::new(()), generations }
    }

    /// Returns the shared cluster. A suite that stops, kills or configures a server makes its own cluster with
    /// `cluster`.
    pub fn shared(&self) -> Result<&Cluster> {
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = self.shared.get() {
            return Ok(cluster);
        }
        let cluster = self.cluster(&Options::new("shared"))?;
        Ok(self.shared.get_or_init(|| cluster))
    }

    /// Makes another cluster, with the template database in it.
    pub fn cluster(&self, options: &Options) -> Result<Cluster> {
        let cluster = Cluster::create(&self.project, &self.copy, options)?;
        create_template(&cluster)?;
        Ok(cluster)
    }

    /// Makes a database of the shared cluster in which the extension is created and installed.
    pub fn fresh_database(&self) -> Result<Database<'_>> {
        self.fresh_database_in(self.shared()?)
    }

    /// Makes a database of another cluster in which the extension is created and installed.
    pub fn fresh_database_in<'a>(&self, cluster: &'a Cluster) -> Result<Database<'a>> {
        Database::create(cluster, TEMPLATE, &self.fixtures())
    }

    /// Makes an empty database of the shared cluster.
    pub fn empty_database(&self) -> Result<Database<'_>> {
        self.empty_database_in(self.shared()?)
    }

    /// Makes an empty database of another cluster.
    pub fn empty_database_in<'a>(&self, cluster: &'a Cluster) -> Result<Database<'a>> {
        Database::create(cluster, "template0", &self.fixtures())
    }

    /// Returns a database of the shared cluster as a generation of the server leaves it, for example `397`: without rows, and
    /// without the extension.
    pub fn generation(&self, name: &str) -> Result<Database<'_>> {
        self.generations()?.database(self.shared()?, name, &self.fixtures())
    }

    /// Returns the same with rows of every kind that the generation can have.
    pub fn generation_with_rows(&self, name: &str) -> Result<Database<'_>> {
        let database = self.generation(name)?;
        let generations = self.generations()?;
        generations.fill(&mut database.connect()?, generations.named(name)?)?;
        Ok(database)
    }

    /// Returns the same with rows and with the extension installed.
    pub fn installed_generation(&self, name: &str) -> Result<Database<'_>> {
        self.generations()?.installed(self.shared()?, name, &self.fixtures())
    }

    /// Returns the generations of the server's schema.
    pub fn generations(&self) -> Result<&Generations> {
        if let Some(generations) = self.generations.get() {
            return Ok(generations);
        }
        let generations = Generations::read(&self.fixtures())?;
        Ok(self.generations.get_or_init(|| generations))
    }

    /// The folder of the fixtures.
    pub fn fixtures(&self) -> PathBuf {
        self.project.harness().join("fixtures")
    }
}

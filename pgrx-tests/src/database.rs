//! Databases of a private cluster, which are dropped when they go out of scope.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use postgres::Client;

use crate::cluster::Cluster;

/// The template of all test databases, in which the extension is created and installed.
pub const TEMPLATE: &str = "template_multica";

static NEXT: AtomicU32 = AtomicU32::new(1);

/// One database of a cluster.
pub struct Database<'a> {
    cluster: &'a Cluster,
    fixtures: PathBuf,
    /// The name of the database.
    pub name: String,
}

impl<'a> Database<'a> {
    /// Copies `template` under a new name.
    pub fn create(cluster: &'a Cluster, template: &str, fixtures: &Path) -> Result<Database<'a>> {
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        cluster.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        Ok(Database { cluster, fixtures: fixtures.to_path_buf(), name })
    }

    /// Copies `template` file by file. For a template of gigabytes this is faster, because the copy is not written to
    /// the WAL.
    pub fn copy(cluster: &'a Cluster, template: &str, fixtures: &Path) -> Result<Database<'a>> {
        Database::create(cluster, &format!("{template} STRATEGY file_copy"), fixtures)
    }

    /// The cluster that contains the database.
    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// Opens a new database session as superuser.
    pub fn connect(&self) -> Result<Client> {
        self.cluster.connect(&self.name)
    }

    /// Opens a new database session as another role.
    pub fn connect_as(&self, role: &str) -> Result<Client> {
        self.cluster.connect_as(&self.name, role)
    }

    /// Runs `fixtures/<name>.sql`.
    pub fn fixture(&self, name: &str) -> Result<()> {
        let file = self.fixtures.join(format!("{name}.sql"));
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        self.connect()?.batch_execute(&text).with_context(|| format!("fixture {name}"))
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        if let Ok(mut client) = self.cluster.connect("postgres") {
            let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// Makes the template in a cluster, because a copy of it takes less time than creating and installing the extension.
pub fn create_template(cluster: &Cluster) -> Result<()> {
    cluster.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {TEMPLATE}"))?;
    cluster
        .connect(TEMPLATE)?
        .batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install();")
        .context("cannot install the extension")
}

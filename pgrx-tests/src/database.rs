//! Databases of a private cluster, dropped when they go out of scope.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use postgres::Client;

use crate::cluster::Cluster;

/// A database with the extension created and installed, the template of all test databases.
pub const TEMPLATE: &str = "template_multica";

static NEXT: AtomicU32 = AtomicU32::new(1);

/// One database of a cluster.
pub struct Database<'a> {
    cluster: &'a Cluster,
    fixtures: PathBuf,
    /// Its name.
    pub name: String,
}

impl<'a> Database<'a> {
    /// A copy of `template` under a name of its own.
    pub fn create(cluster: &'a Cluster, template: &str, fixtures: &Path) -> Result<Database<'a>> {
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        cluster.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        Ok(Database { cluster, fixtures: fixtures.to_path_buf(), name })
    }

    /// The same, file by file: for templates of gigabytes, which would else all go through the log.
    pub fn copy(cluster: &'a Cluster, template: &str, fixtures: &Path) -> Result<Database<'a>> {
        Database::create(cluster, &format!("{template} STRATEGY file_copy"), fixtures)
    }

    /// The cluster it is in.
    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// A session of its own, as superuser.
    pub fn connect(&self) -> Result<Client> {
        self.cluster.connect(&self.name)
    }

    /// A session of its own, as another role.
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

/// Makes the template in a cluster: later databases are cheap copies of it.
pub fn create_template(cluster: &Cluster) -> Result<()> {
    cluster.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {TEMPLATE}"))?;
    cluster
        .connect(TEMPLATE)?
        .batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install();")
        .context("cannot install the extension")
}

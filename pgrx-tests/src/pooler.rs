//! PgBouncer in transaction mode in front of a private cluster.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use postgres::{Client, NoTls};

use crate::cluster::{Cluster, PORT, SUPERUSER};
use crate::project::Project;
use crate::tools::extras;

/// A part of the socket's name, like the port of the cluster.
pub const POOLED_PORT: u16 = 6432;

/// A running PgBouncer with one server connection per database and user. It is stopped when dropped.
pub struct Pooler {
    folder: PathBuf,
    child: Child,
}

impl Pooler {
    /// Starts PgBouncer and waits until it accepts connections.
    pub fn start(project: &Project, cluster: &Cluster, users: &[&str]) -> Result<Pooler> {
        let tool = extras::pgbouncer(project)?;
        let folder = cluster.socket_folder();
        let socket = folder.display();
        let (settings, known) = (folder.join("pgbouncer.ini"), folder.join("pgbouncer.users"));
        let users: String = users.iter().map(|user| format!("\"{user}\" \"\"\n")).collect();
        fs::write(&known, users)?;
        fs::write(
            &settings,
            format!(
                "[databases]\n* = host={socket} port={PORT}\n\
                 [pgbouncer]\nlisten_port = {POOLED_PORT}\nunix_socket_dir = {socket}\n\
                 auth_type = trust\nauth_file = {}\nadmin_users = {SUPERUSER}\n\
                 pool_mode = transaction\ndefault_pool_size = 1\nmax_client_conn = 100\n",
                known.display()
            ),
        )?;
        let log = fs::File::create(folder.join("pgbouncer.log"))?;
        let mut command = tool.command();
        command.arg(&settings).current_dir(&folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        for file in [&settings, &known] {
            cluster.user().own(file)?;
        }
        cluster.user().apply(&mut command);
        let child = command.spawn().context("cannot start pgbouncer")?;
        let pooler = Pooler { folder, child };
        Cluster::wait_until("PgBouncer takes connections", Duration::from_secs(30), || {
            Ok(pooler.connect("pgbouncer", SUPERUSER).is_ok())
        })
        .with_context(|| pooler.log())?;
        Ok(pooler)
    }

    /// Opens a database session through PgBouncer.
    pub fn connect(&self, database: &str, user: &str) -> Result<Client> {
        postgres::Config::new()
            .host_path(&self.folder)
            .port(POOLED_PORT)
            .user(user)
            .dbname(database)
            .connect(NoTls)
            .with_context(|| format!("cannot connect to {database} through PgBouncer"))
    }

    /// Returns the log of PgBouncer.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("pgbouncer.log")).unwrap_or_default()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

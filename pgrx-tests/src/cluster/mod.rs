//! Private clusters. Each has its own data directory and socket, runs as an unprivileged user, and is removed when
//! dropped.

mod cleanup;
mod options;
mod process;
mod small_disk;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use postgres::{Client, NoTls};

use crate::postgres_copy::PostgresCopy;
use crate::project::Project;
use crate::user::ServerUser;
pub use cleanup::{exit_on_signals, remove_kept, remove_leftovers};
pub use options::Options;
pub use process::{Shutdown, output};
pub use small_disk::Ballast;

/// The port is only a part of the socket's name, because no cluster listens on the network.
pub const PORT: u16 = 5432;
/// The bootstrap superuser of every private cluster.
pub const SUPERUSER: &str = "postgres";
/// The maximum length of a socket's path.
const SOCKET_PATH_LIMIT: usize = 107;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// One private cluster.
pub struct Cluster {
    copy: PostgresCopy,
    user: ServerUser,
    base: PathBuf,
    keep: bool,
    environment: Vec<(String, String)>,
    server: Mutex<Option<Child>>,
}

impl Cluster {
    /// Initialises a cluster and starts it.
    pub fn create(project: &Project, copy: &PostgresCopy, options: &Options) -> Result<Cluster> {
        let mut cluster = Cluster::reserve(project, copy, &options.name)?;
        cluster.environment.clone_from(&options.environment);
        let mut initdb = cluster.tool("initdb");
        initdb.arg("-D").arg(cluster.data());
        initdb.args([
            "--username",
            SUPERUSER,
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--no-sync",
        ]);
        process::output(initdb.args(&options.initdb))?;
        cluster.configure(options)?;
        if let Some(megabytes) = options.disk {
            cluster.move_to_small_disk(megabytes)?;
        }
        cluster.start()?;
        Ok(cluster)
    }

    /// Makes a streaming standby of this cluster and starts it. The primary needs no special settings.
    pub fn standby(&self, project: &Project, options: &Options) -> Result<Cluster> {
        let cluster = Cluster::reserve(project, &self.copy, &options.name)?;
        let mut backup = self.tool("pg_basebackup");
        backup.arg("-D").arg(cluster.data()).args(["--checkpoint", "fast", "--no-sync", "--write-recovery-conf"]);
        process::output(&mut backup)?;
        cluster.configure(options)?;
        if let Some(megabytes) = options.disk {
            cluster.move_to_small_disk(megabytes)?;
        }
        cluster.start()?;
        Ok(cluster)
    }

    /// Makes this stopped or killed server a standby of `primary`, which was promoted in its place, and starts it.
    /// Writes that only this server has are undone.
    pub fn follow(&self, primary: &Cluster, options: &Options) -> Result<()> {
        let source = format!("host={} port={PORT} user={SUPERUSER} dbname=postgres", primary.socket_folder().display());
        let mut rewind = self.tool("pg_rewind");
        rewind.arg("-D").arg(self.data()).args(["--source-server", &source, "--no-sync", "--write-recovery-conf"]);
        process::output(&mut rewind)?;
        self.configure(options)?;
        self.start()
    }

    /// Writes new settings. A running server needs a reload or a restart to use them.
    pub fn configure(&self, options: &Options) -> Result<()> {
        const INCLUDED: &str = "harness.conf";
        let file = self.data().join(INCLUDED);
        fs::write(&file, options.file(&self.socket_folder()))?;
        self.user.own(&file)?;
        // The included file is at the end, so it overrides the values that initdb wrote, and leaves all others in
        // force.
        let main = self.data().join("postgresql.conf");
        let text = fs::read_to_string(&main)?;
        let include = format!("include '{INCLUDED}'\n");
        if !text.ends_with(&include) {
            fs::write(&main, format!("{text}\n{include}"))?;
        }
        Ok(())
    }

    fn reserve(project: &Project, copy: &PostgresCopy, name: &str) -> Result<Cluster> {
        let user = ServerUser::choose()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // If this run is killed, a later run finds the owner of the cluster by the process id.
        let base = project.work.join("clusters").join(format!("{name}-{}-{number}", std::process::id()));
        if base.join(format!(".s.PGSQL.{PORT}")).as_os_str().len() > SOCKET_PATH_LIMIT {
            bail!("{} is too long for a socket; set MULTICA_WORK to a shorter path", base.display());
        }
        fs::create_dir_all(&base)?;
        // Every connection to the socket is trusted, so no other user may reach it.
        fs::set_permissions(&base, fs::Permissions::from_mode(0o700))?;
        user.own(&base)?;
        cleanup::register(&base);
        Ok(Cluster { copy: copy.clone(), user, base, keep: false, environment: Vec::new(), server: Mutex::new(None) })
    }

    /// The copy of Postgres that the server runs from.
    pub fn copy(&self) -> &PostgresCopy {
        &self.copy
    }

    /// The user that the server runs as.
    pub fn user(&self) -> &ServerUser {
        &self.user
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    /// The file of the server's log.
    pub fn log_file(&self) -> PathBuf {
        self.base.join("log")
    }

    /// The folder of the socket, which is the `host` of a connection.
    pub fn socket_folder(&self) -> PathBuf {
        self.base.clone()
    }

    /// Returns the log of the server so far.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.log_file())?).into_owned())
    }

    /// Leaves the server running and its files in place when this value is dropped.
    pub fn keep(&mut self) -> Result<()> {
        self.keep = true;
        fs::write(self.base.join(cleanup::KEPT), "")?;
        cleanup::forget(&self.base);
        Ok(())
    }

    /// Returns a command for a program of the copy, which runs as the server's user and connects to this cluster.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = self.copy.command(&self.copy.program(name));
        command.env("PGHOST", self.socket_folder()).env("PGPORT", PORT.to_string()).env("PGUSER", SUPERUSER);
        command.current_dir(&self.base);
        self.user.apply(&mut command);
        command
    }

    /// Runs a program of the copy against this cluster and returns its output.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Result<String> {
        process::output(self.tool(name).args(arguments))
    }

    /// Returns the connection parameters of the superuser.
    pub fn config(&self, database: &str) -> postgres::Config {
        let mut config = postgres::Config::new();
        config.host_path(self.socket_folder()).port(PORT).user(SUPERUSER).dbname(database);
        config.application_name("multica-harness").connect_timeout(Duration::from_secs(10));
        config
    }

    /// Opens a database session of the superuser.
    pub fn connect(&self, database: &str) -> Result<Client> {
        self.config(database).connect(NoTls).with_context(|| format!("cannot connect to {database}"))
    }

    /// Opens a database session of another role.
    pub fn connect_as(&self, database: &str, role: &str) -> Result<Client> {
        self.config(database)
            .user(role)
            .connect(NoTls)
            .with_context(|| format!("cannot connect to {database} as {role}"))
    }

    /// Waits until `condition` is true. If it is not within `limit`, the error contains `what`.
    pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        loop {
            if condition()? {
                return Ok(());
            }
            if started.elapsed() > limit {
                bail!("waited {limit:?} in vain: {what}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let _ = self.kill();
        small_disk::unmount(&self.base);
        let _ = fs::remove_dir_all(&self.base);
        cleanup::forget(&self.base);
    }
}

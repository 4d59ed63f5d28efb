//! Private clusters: an own data directory, an own socket, an unprivileged user, gone when dropped.

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

/// The port is only part of the socket's name: no cluster listens on the network.
pub const PORT: u16 = 5432;
/// The bootstrap superuser of every private cluster.
pub const SUPERUSER: &str = "postgres";
/// Longest path of a socket that the system takes.
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

    /// A streaming standby of this cluster, started; the primary needs nothing but its defaults.
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

    /// Makes a server that was promoted over a follower of the one that took its place: what it alone has written is
    /// undone. It has to be stopped, or killed, and is started.
    pub fn follow(&self, primary: &Cluster, options: &Options) -> Result<()> {
        let source = format!("host={} port={PORT} user={SUPERUSER} dbname=postgres", primary.socket_folder().display());
        let mut rewind = self.tool("pg_rewind");
        rewind.arg("-D").arg(self.data()).args(["--source-server", &source, "--no-sync", "--write-recovery-conf"]);
        process::output(&mut rewind)?;
        self.configure(options)?;
        self.start()
    }

    /// Writes other settings; a running server needs a reload, or a restart.
    pub fn configure(&self, options: &Options) -> Result<()> {
        const INCLUDED: &str = "harness.conf";
        let file = self.data().join(INCLUDED);
        fs::write(&file, options.file(&self.socket_folder()))?;
        self.user.own(&file)?;
        // What initdb has written stays in force below it.
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
        // The process id tells a later run whose cluster this was, should this one be killed.
        let base = project.work.join("clusters").join(format!("{name}-{}-{number}", std::process::id()));
        if base.join(format!(".s.PGSQL.{PORT}")).as_os_str().len() > SOCKET_PATH_LIMIT {
            bail!("{} is too long for a socket; set MULTICA_WORK to a shorter path", base.display());
        }
        fs::create_dir_all(&base)?;
        // Whoever reaches the socket is trusted, so nobody else may.
        fs::set_permissions(&base, fs::Permissions::from_mode(0o700))?;
        user.own(&base)?;
        cleanup::register(&base);
        Ok(Cluster { copy: copy.clone(), user, base, keep: false, environment: Vec::new(), server: Mutex::new(None) })
    }

    /// The copy of Postgres it runs from.
    pub fn copy(&self) -> &PostgresCopy {
        &self.copy
    }

    /// The user its server runs as.
    pub fn user(&self) -> &ServerUser {
        &self.user
    }

    /// Data directory.
    pub fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    /// The server's log.
    pub fn log_file(&self) -> PathBuf {
        self.base.join("log")
    }

    /// Where the socket is: the `host` of a connection.
    pub fn socket_folder(&self) -> PathBuf {
        self.base.clone()
    }

    /// What the server has logged so far.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.log_file())?).into_owned())
    }

    /// Leaves the server running and its files in place when this value goes.
    pub fn keep(&mut self) -> Result<()> {
        self.keep = true;
        fs::write(self.base.join(cleanup::KEPT), "")?;
        cleanup::forget(&self.base);
        Ok(())
    }

    /// A program of the copy, run as the server's user and aimed at this cluster.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = self.copy.command(&self.copy.program(name));
        command.env("PGHOST", self.socket_folder()).env("PGPORT", PORT.to_string()).env("PGUSER", SUPERUSER);
        command.current_dir(&self.base);
        self.user.apply(&mut command);
        command
    }

    /// Runs a program of the copy against this cluster and returns what it prints.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Result<String> {
        process::output(self.tool(name).args(arguments))
    }

    /// Connection parameters of the superuser.
    pub fn config(&self, database: &str) -> postgres::Config {
        let mut config = postgres::Config::new();
        config.host_path(self.socket_folder()).port(PORT).user(SUPERUSER).dbname(database);
        config.application_name("multica-harness").connect_timeout(Duration::from_secs(10));
        config
    }

    /// A superuser's session.
    pub fn connect(&self, database: &str) -> Result<Client> {
        self.config(database).connect(NoTls).with_context(|| format!("cannot connect to {database}"))
    }

    /// Another role's session.
    pub fn connect_as(&self, database: &str, role: &str) -> Result<Client> {
        self.config(database)
            .user(role)
            .connect(NoTls)
            .with_context(|| format!("cannot connect to {database} as {role}"))
    }

    /// Waits until `condition` holds, and says what it was about when it does not within `limit`.
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

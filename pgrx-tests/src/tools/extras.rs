//! Programs that only some suites need: pg_cron, PgBouncer, Redis, and Python with psycopg or pgspot. Debian packages that
//! are not installed are unpacked into the work directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};

use super::missing::{Missing, announce};
use super::{ServerFiles, answers, apt, entries};
use crate::console::run_step;
use crate::project::Project;

/// Waits until no other test installs something.
fn installing() -> MutexGuard<'static, ()> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    INSTALLING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds a program of a Debian package, or installs the package. `why` is the purpose of the program.
pub fn program(project: &Project, program: &'static str, package: &str, why: &'static str) -> Result<&'static str> {
    let _installing = installing();
    if !answers(Command::new(program).arg("--version")) {
        announce(project, &[Missing::of_package(program, why, package)])?;
        apt::install(project, 0, &[package.to_string()])
            .with_context(|| format!("{program} is needed (Debian and Ubuntu: package {package})"))?;
    }
    Ok(program)
}

/// Returns the folders that contain pg_cron's library and scripts, among other files, for this installation of
/// Postgres.
pub fn pg_cron(project: &Project, server: &ServerFiles) -> Result<(PathBuf, PathBuf)> {
    let _installing = installing();
    let share = server.sharedir.join("extension");
    if share.join("pg_cron.control").exists() {
        return Ok((server.pkglibdir.clone(), share));
    }
    let package = format!("postgresql-{}-cron", server.major);
    let files = unpacked(project, &package, &[&package])?;
    Ok((
        files.join(format!("usr/lib/postgresql/{}/lib", server.major)),
        files.join(format!("usr/share/postgresql/{}/extension", server.major)),
    ))
}

/// A program that is installed, or unpacked into the work directory.
pub struct Unpacked {
    program: PathBuf,
    libraries: Option<PathBuf>,
}

impl Unpacked {
    /// Returns a command for it, with the libraries that were unpacked with it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }
}

/// Finds PgBouncer, or unpacks it.
pub fn pgbouncer(project: &Project) -> Result<Unpacked> {
    let packages = ["pgbouncer", "libc-ares2", "libevent-2.1-7"];
    found_or_unpacked(project, "usr/sbin/pgbouncer", &packages)
}

/// Finds the server of Redis, or unpacks it. Package redis-server contains only a link to a program of redis-tools.
pub fn redis(project: &Project) -> Result<Unpacked> {
    let packages = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1"];
    found_or_unpacked(project, "usr/bin/redis-server", &packages)
}

/// Finds a program in the folders of commands or at its place in the tree of its package, the first of `packages`.
/// Otherwise unpacks all of them.
fn found_or_unpacked(project: &Project, place: &str, packages: &[&str]) -> Result<Unpacked> {
    let _installing = installing();
    let name = Path::new(place).file_name().unwrap_or_default();
    for known in [PathBuf::from(name), Path::new("/").join(place)] {
        if answers(Command::new(&known).arg("--version")) {
            return Ok(Unpacked { program: known, libraries: None });
        }
    }
    let files = unpacked(project, packages[0], packages)?;
    let libraries =
        entries(&files.join("usr/lib")).into_iter().find(|folder| folder.to_string_lossy().contains("linux-gnu"));
    Ok(Unpacked { program: files.join(place), libraries })
}

/// Returns a Python with the packages that `requirements` names. Each `purpose` has its own.
pub fn python(project: &Project, purpose: &str, requirements: &Path) -> Result<PathBuf> {
    let _installing = installing();
    let home = project.work.join("python").join(purpose);
    let (program, stamp) = (home.join("bin/python"), home.join("installed"));
    let wanted = fs::read_to_string(requirements)?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(program);
    }
    let packages = wanted.split_whitespace().collect::<Vec<_>>().join(", ");
    let by_hand = format!(
        "python3 -m venv {home} && {program} -m pip install --requirement {list} && cp {list} {stamp}",
        home = home.display(),
        program = program.display(),
        list = requirements.display(),
        stamp = stamp.display(),
    );
    let why = "tests run with them, in a Python environment of the work directory";
    announce(project, &[Missing::by_hand(packages.clone(), why, by_hand)])?;
    let prepare = || {
        fs::create_dir_all(&home)?;
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(&home);
        run_step("preparing Python", &mut command)
    };
    if prepare().is_err() {
        let package = "python3-venv";
        let why = "the Python environment is made with it";
        let venv = Missing::of_package("Python's module venv", why, package);
        announce(project, &[venv])?;
        apt::install(project, 0, &[package.into()])
            .context("Python with its venv module is needed (Debian and Ubuntu: package python3-venv)")?;
        prepare()?;
    }
    let mut pip = Command::new(&program);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--prefer-binary", "--retries", "5", "--requirement"])
        .arg(requirements);
    run_step(&format!("installing Python packages for {purpose}"), &mut pip).with_context(|| {
        format!("{packages} cannot be had from the Python package index: is there a way to it from here?")
    })?;
    fs::write(stamp, wanted)?;
    Ok(program)
}

fn unpacked(project: &Project, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let target = project.work.join("extras").join(name);
    if !target.exists() {
        let why = "a test runs with it; it is only unpacked, in the work directory";
        announce(project, &[Missing::of_package(name, why, packages[0])])?;
        let unfinished = target.with_extension("unfinished");
        fs::create_dir_all(&unfinished)?;
        apt::unpack(project, packages, &unfinished).with_context(|| {
            format!("{name} is needed; on Debian and Ubuntu run apt-get update, or install {}", packages[0])
        })?;
        fs::rename(unfinished, &target)?;
    }
    Ok(target)
}

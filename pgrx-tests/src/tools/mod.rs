//! The programs that must be on the machine: a Postgres server with its headers, libclang, a C compiler, and cargo-pgrx
//! in the right version.

mod apt;
mod build;
mod cargo_pgrx;
pub mod extras;
pub mod missing;
mod server;
mod source;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::project::{MAJOR, Project};
use missing::{Missing, announce};
pub use server::{ServerFiles, below};

/// The tools that builds and clusters use.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The installed server, which is copied and never used itself.
    pub server: ServerFiles,
    /// The path of cargo-pgrx.
    pub cargo_pgrx: PathBuf,
}

/// Finds all tools. Missing ones are announced and installed if possible; otherwise the error lists what to install.
pub fn ensure(project: &Project, major: u32) -> Result<Tools> {
    let mut wanted = missing(project, major);
    if is_built_here(project, major) {
        wanted.push(source::missing(major));
    }
    wanted.extend(cargo_pgrx::missing(project));
    announce(project, &wanted)?;
    let packages = wanted.iter().filter_map(|one| one.package.clone());
    let packages: Vec<String> = packages.collect();
    if !packages.is_empty() {
        if let Err(error) = apt::install(project, major, &packages) {
            bail!("{error:#}\n\n{}", advice(&wanted));
        }
        let still = missing(project, major);
        if !still.is_empty() {
            bail!(advice(&still));
        }
    }
    if is_built_here(project, major) {
        source::provide(project, major).with_context(|| {
            format!(
                "Postgres {major} could be neither found nor built; install it with its headers and test programs \
                 (Debian and Ubuntu: postgresql-{major} and postgresql-server-dev-{major}), or set MULTICA_PG_CONFIG"
            )
        })?;
    }
    let Some(server) = ServerFiles::find(project, major) else {
        bail!("Postgres {major} was found a moment ago and is gone");
    };
    for (component, probe) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !answers(Command::new("cargo").args([probe, "--version"])) {
            bail!("cargo {probe} is missing. Install it: rustup component add {component}");
        }
    }
    let cargo_pgrx = cargo_pgrx::ensure(project)?;
    Ok(Tools { server, cargo_pgrx })
}

fn missing(project: &Project, major: u32) -> Vec<Missing> {
    let server = ServerFiles::find(project, major);
    let is_built = is_built_here(project, major);
    let mut list = Vec::new();
    if is_built {
        list.extend(missing_to_build());
    }
    if server.is_none() && !is_built {
        list.push(Missing::of_package(
            "a Postgres server",
            "clusters run on a copy of it; no cluster is created, and no server is started",
            format!("postgresql-{major}"),
        ));
    }
    if !is_built && !server.as_ref().is_some_and(ServerFiles::has_headers) {
        list.push(Missing::of_package(
            "the server's headers",
            "the library is compiled with them",
            format!("postgresql-server-dev-{major}"),
        ));
    }
    if !has_libclang() {
        list.push(Missing::of_package("libclang", "pgrx reads the headers with it", "libclang-dev"));
    }
    if !answers(Command::new("cc").arg("--version")) {
        list.push(Missing::of_package("a C compiler", "the library is linked with it", "build-essential"));
    }
    list
}

/// Whether this version must be compiled: the home version is installed with apt, another version that is missing is
/// compiled.
fn is_built_here(project: &Project, major: u32) -> bool {
    major != MAJOR && ServerFiles::find(project, major).is_none()
}

fn missing_to_build() -> impl Iterator<Item = Missing> {
    [
        ("make", "build-essential"),
        ("dpkg-source", "build-essential"),
        ("perl", "perl"),
        ("bison", "bison"),
        ("flex", "flex"),
    ]
    .into_iter()
    .filter(|(program, _)| !answers(Command::new(program).arg("--version")))
    .map(|(what, package)| Missing::of_package(what, "Postgres is compiled with it", package))
}

fn advice(missing: &[Missing]) -> String {
    let list = missing::list("Missing on this machine. Please install and repeat:", missing);
    format!("{list}\nA server in an unusual place is found through MULTICA_PG_CONFIG=/path/to/pg_config.")
}

/// Whether a command runs and succeeds.
fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether bindgen can load libclang at build time, from LIBCLANG_PATH or the usual library folders.
fn has_libclang() -> bool {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let mut folders: Vec<PathBuf> = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/opt/homebrew/opt/llvm/lib",
        "/Library/Developer/CommandLineTools/usr/lib",
    ]
    .iter()
    .map(PathBuf::from)
    .collect();
    for versioned in entries(Path::new("/usr/lib")) {
        if versioned.file_name().is_some_and(|name| name.to_string_lossy().starts_with("llvm")) {
            folders.push(versioned.join("lib"));
        }
    }
    folders.iter().flat_map(|folder| entries(folder)).any(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name.starts_with("libclang.") || name.starts_with("libclang-"))
            && (name.contains(".so") || name.ends_with(".dylib"))
            && !name.contains("cpp")
    })
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

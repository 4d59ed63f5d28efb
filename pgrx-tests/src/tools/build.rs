//! Compiles Postgres into a folder that can be moved and copied, because its programs find their files relative to
//! themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::below;
use crate::console::run_step;
use crate::project::Project;

/// Features that are switched off here are neither tested nor needed by a test, and would require more packages.
const CONFIGURE: &[&str] = &["--disable-rpath", "--without-icu", "--without-readline", "--without-zlib", "CFLAGS=-O1"];

/// The version that is compiled with assertions, which include checks of how an extension uses Postgres.
const ASSERTING: u32 = 18;

/// The modules of Postgres that suites and pages use.
const CONTRIB: &[&str] = &["amcheck", "auto_explain", "pg_stat_statements"];

/// With this name Postgres creates no further folders of its own below it.
const PREFIX: &str = "/usr/local/pgsql";

/// Where programs and libraries search for libpq, relative to their own folder. The test programs are four folders
/// below the library's.
const LIBRARIES: &str = "$ORIGIN/../lib:$ORIGIN/../../../..";

/// The name of the file in a finished build that contains the options of the build.
const STAMP: &str = "built-with";

/// Returns the pg_config of the finished build. Returns None if there is none or it was built with other options.
pub fn pg_config(project: &Project, major: u32) -> Option<PathBuf> {
    let folder = home(project, major);
    let built = fs::read_to_string(folder.join(STAMP)).ok()?;
    (built == recipe(major)).then(|| folder.join("bin/pg_config"))
}

/// Compiles an unpacked source. Only a finished build gets the name under which `pg_config` finds it.
pub fn build(project: &Project, major: u32, source: &Path) -> Result<()> {
    let mut configure = command(source, "./configure");
    configure.arg(format!("--prefix={PREFIX}")).args(options(major));
    run_step(&format!("configuring Postgres {major}"), &mut configure)?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    run_step(&format!("building Postgres {major} (once, some minutes)"), make(source).arg(format!("--jobs={jobs}")))?;
    let root = home(project, major).with_extension("unfinished");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    let folders =
        std::iter::once(source.to_path_buf()).chain(CONTRIB.iter().map(|name| source.join("contrib").join(name)));
    for folder in folders {
        run_step(
            &format!("installing {}", folder.display()),
            make(&folder).arg(format!("DESTDIR={}", root.display())).arg("install"),
        )?;
    }
    let built = below(&root, Path::new(PREFIX));
    fs::write(built.join(STAMP), recipe(major))?;
    let home = home(project, major);
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    fs::rename(built, home)?;
    fs::remove_dir_all(root)?;
    Ok(())
}

fn home(project: &Project, major: u32) -> PathBuf {
    project.root.join(format!("target/postgres-{major}"))
}

fn recipe(major: u32) -> String {
    format!("{} and {}", options(major).join(" "), CONTRIB.join(" "))
}

fn options(major: u32) -> Vec<&'static str> {
    let assertions = (major == ASSERTING).then_some("--enable-cassert");
    CONFIGURE.iter().copied().chain(assertions).collect()
}

/// Returns a make command that prints only the folder that it is in.
fn make(folder: &Path) -> Command {
    let mut command = command(folder, "make");
    command.args(["--silent", "--print-directory"]);
    command
}

fn command(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LD_RUN_PATH", LIBRARIES);
    for inherited in ["MAKEFLAGS", "MAKELEVEL", "CFLAGS", "CPPFLAGS", "LDFLAGS", "DESTDIR"] {
        command.env_remove(inherited);
    }
    command
}

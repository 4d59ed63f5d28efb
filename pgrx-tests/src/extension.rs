//! Builds the extension and installs it into a private copy of Postgres.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use anyhow::Result;
use uuid::Uuid;

use crate::console::run_step;
use crate::postgres_copy::PostgresCopy;
use crate::project::{MAJOR, Project};
use crate::tools::Tools;

/// The link flag that `cargo pgrx install` passes to its builds. Lints pass it too, so that they can use the same
/// compiled dependencies.
const LINK: &str = r#"target.'cfg(all(target_family = "unix", not(target_os = "macos")))'.rustflags = ["-C", "link-arg=-Wl,--no-gc-sections"]"#;

/// A build of the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Unoptimized, for tests and the demo.
    Dev,
    /// Optimized, for the bench and for packages.
    Release,
    /// With the `#[pg_test]` functions in schema `tests`.
    PgTest,
}

impl Variant {
    /// A part of the names of the folders for this build.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Dev => "dev",
            Variant::Release => "release",
            Variant::PgTest => "pg_test",
        }
    }

    fn features(self, major: u32) -> String {
        match self {
            Variant::PgTest => format!("pg{major} pg_test"),
            Variant::Dev | Variant::Release => format!("pg{major}"),
        }
    }
}

/// Builds the variant and installs it into its own copy of Postgres. Does nothing if neither the sources nor Postgres
/// have changed.
pub fn install(project: &Project, tools: &Tools, variant: Variant) -> Result<PostgresCopy> {
    let copy = PostgresCopy::prepare(project, &tools.server, variant.name())?;
    let stamp = copy.prefix.join("installed-from");
    let sources = fingerprint(&project.root)?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == sources) {
        return Ok(copy);
    }
    if stamp.exists() {
        fs::remove_file(&stamp)?;
    }
    // A server that was kept running has mapped the library, so the file must be replaced and not overwritten.
    for old in extension_files(&copy)? {
        fs::remove_file(old)?;
    }
    let mut command = cargo_pgrx(project, tools, variant, &copy, "install")?;
    if variant == Variant::Release {
        command.arg("--release");
    }
    run_step(&format!("building multica ({}) for Postgres {}", variant.name(), copy.major), &mut command)?;
    fs::write(stamp, sources)?;
    Ok(copy)
}

/// Builds the variant and copies its files below `tree`, at the paths that they have in the copy.
pub fn package(project: &Project, tools: &Tools, variant: Variant, copy: &PostgresCopy, tree: &Path) -> Result<()> {
    let mut command = cargo_pgrx(project, tools, variant, copy, "package")?;
    command.arg("--out-dir").arg(tree);
    if variant != Variant::Release {
        command.arg("--debug");
    }
    run_step(&format!("packaging multica ({})", variant.name()), &mut command)?;
    Ok(())
}

fn cargo_pgrx(project: &Project, tools: &Tools, variant: Variant, copy: &PostgresCopy, what: &str) -> Result<Command> {
    let mut command = cargo_command(project, tools, &tools.cargo_pgrx)?;
    command.args(["pgrx", what, "--package", "multica", "--no-default-features", "--features"]);
    command.arg(variant.features(copy.major)).arg("--pg-config").arg(copy.pg_config());
    Ok(command)
}

/// Runs `cargo clippy` on every crate, and on the library with and without the test functions. Any warning is an error.
/// The bench is compiled without its feature for charts, which needs the largest dependency and which no test needs.
pub fn lint(project: &Project, tools: &Tools) -> Result<()> {
    let major = tools.server.major;
    for (name, scope, features) in [
        ("extension as shipped", ["--package", "multica"], Variant::Dev.features(major)),
        ("all targets", ["--workspace", "--all-targets"], Variant::PgTest.features(major)),
    ] {
        let mut command = cargo_command(project, tools, Path::new("cargo"))?;
        command.args(["--config", LINK, "clippy"]).args(scope);
        command.args(["--no-default-features", "--features", &features, "--", "-D", "warnings"]);
        run_step(&format!("clippy, {name}"), &mut command)?;
    }
    Ok(())
}

/// Type-checks the library for a version that is not on this machine, with the bindings that pgrx contains for docs.rs.
pub fn check_bindings(project: &Project, major: u32) -> Result<()> {
    let mut command = without_ours(Path::new("cargo"), project, &project.work);
    command
        .args(["check", "--package", "multica", "--no-default-features"])
        .args(["--features", &Variant::Dev.features(major)])
        .env("DOCS_RS", "1")
        .env("RUSTC_WRAPPER", project.harness().join("rustc-docsrs"))
        .env("CARGO_TARGET_DIR", project.root.join("target/bindings"));
    run_step(&format!("checking multica for Postgres {major}"), &mut command)?;
    Ok(())
}

/// Returns a cargo command with the same environment for every build. If the environment changed, pgrx would regenerate
/// its bindings. The command does not read or write the user's pgrx home.
fn cargo_command(project: &Project, tools: &Tools, program: &Path) -> Result<Command> {
    let home = project.work.join(match tools.server.major {
        MAJOR => "pgrx".into(),
        other => format!("pgrx-{other}"),
    });
    if !home.join("config.toml").exists() {
        let headers = PostgresCopy::prepare(project, &tools.server, Variant::Dev.name())?;
        fs::create_dir_all(&home)?;
        let mut init = without_ours(&tools.cargo_pgrx, project, &home);
        init.args(["pgrx", "init", "--no-run", &format!("--pg{}", headers.major)]).arg(headers.pg_config());
        run_step("preparing cargo-pgrx", &mut init)?;
    }
    Ok(without_ours(program, project, &home))
}

/// Returns a command without the variables that cargo set for this harness, and without the caller's settings of
/// Postgres and pgrx.
fn without_ours(program: &Path, project: &Project, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&project.root);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().into_owned();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "PG"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.env("PGRX_HOME", home);
    command
}

/// Returns the installed files of the extension.
fn extension_files(copy: &PostgresCopy) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in [copy.libraries(), copy.extensions()] {
        for entry in fs::read_dir(folder)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("multica.") || name.starts_with("multica--") {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// Returns a hash of the sizes and times of all files that the library and its script are built from.
fn fingerprint(root: &Path) -> Result<String> {
    let mut text = String::new();
    for part in ["Cargo.toml", "Cargo.lock", "multica.control", ".cargo", "src", "sql"] {
        describe(&root.join(part), &mut text)?;
    }
    Ok(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).to_string())
}

fn describe(path: &Path, text: &mut String) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    if path.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        return entries.iter().try_for_each(|entry| describe(&entry.path(), text));
    }
    let meta = path.metadata()?;
    let changed = meta.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    text.push_str(&format!("{} {} {changed}\n", path.display(), meta.len()));
    Ok(())
}

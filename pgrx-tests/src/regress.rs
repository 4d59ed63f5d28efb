//! Golden files and isolation specs, which Postgres' own test programs run, each file in its own database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::cluster::{PORT, SUPERUSER};
use crate::context::Context;
use crate::project::Project;

/// If the first line of a file contains this text, its database does not have the extension.
const EMPTY: &str = "database: empty";

/// A golden file or an isolation spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `regress/`: the output of one database session, checked by `pg_regress`.
    Golden,
    /// `isolation/`: the output of several concurrent sessions, checked by `pg_isolation_regress`.
    Isolation,
}

impl Kind {
    /// The prefix of the tests' names.
    fn name(self) -> &'static str {
        match self {
            Kind::Golden => "golden",
            Kind::Isolation => "isolation",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Kind::Golden => "regress",
            Kind::Isolation => "isolation",
        }
    }

    fn source(self) -> (&'static str, &'static str) {
        match self {
            Kind::Golden => ("sql", "sql"),
            Kind::Isolation => ("specs", "spec"),
        }
    }

    fn program(self) -> &'static str {
        match self {
            Kind::Golden => "regress/pg_regress",
            Kind::Isolation => "isolation/pg_isolation_regress",
        }
    }
}

/// Returns every file of both kinds, with its name in reports.
pub fn all(project: &Project) -> Result<Vec<(String, Kind, PathBuf)>> {
    let mut all = Vec::new();
    for kind in [Kind::Golden, Kind::Isolation] {
        all.extend(list(project, kind)?.into_iter().map(|file| (name(kind, &file), kind, file)));
    }
    Ok(all)
}

/// Returns the files of a kind, by name.
fn list(project: &Project, kind: Kind) -> Result<Vec<PathBuf>> {
    let (sources, extension) = kind.source();
    let folder = project.harness().join(kind.folder()).join(sources);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("no folder {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files.sort();
    Ok(files)
}

fn name(kind: Kind, file: &Path) -> String {
    format!("{}/{}", kind.name(), stem(file))
}

fn stem(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// Runs one file. With `accept`, its output becomes the expected output.
pub fn one(context: &Context, kind: Kind, file: &Path, accept: bool) -> Result<()> {
    let folder = &context.project.harness().join(kind.folder());
    let name = &stem(file);
    let cluster = context.shared()?;
    let text = fs::read_to_string(file)?;
    let database = if text.lines().next().is_some_and(|line| line.contains(EMPTY)) {
        context.empty_database()?
    } else {
        context.fresh_database()?
    };
    let expected = folder.join("expected").join(format!("{name}.out"));
    if !expected.exists() {
        if !accept {
            bail!("{} is missing; look at the output, then cargo verify --only {name} --accept", expected.display());
        }
        fs::create_dir_all(folder.join("expected"))?;
        fs::write(&expected, "")?;
    }
    let output = context.project.work.join("output").join(context.copy.major.to_string());
    let target = output.join(kind.name()).join(name);
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    fs::create_dir_all(&target)?;
    let mut command = context.copy.command(&context.copy.test_program(kind.program()));
    command.arg("--use-existing").arg(format!("--dbname={}", database.name));
    command.arg(format!("--host={}", cluster.socket_folder().display())).arg(format!("--port={PORT}"));
    command.arg(format!("--user={SUPERUSER}"));
    command.arg(format!("--bindir={}", context.copy.program("psql").parent().unwrap_or(folder).display()));
    command.arg(format!("--inputdir={}", folder.display())).arg(format!("--outputdir={}", target.display()));
    command.arg(name).env("PGISOLATIONTIMEOUT", "60").stdin(Stdio::null());
    let output = command.output().context("cannot run the server's test program")?;
    if accept {
        fs::copy(target.join("results").join(format!("{name}.out")), &expected)?;
        return Ok(());
    }
    if !output.status.success() {
        let diffs = fs::read_to_string(target.join("regression.diffs")).unwrap_or_default();
        if diffs.is_empty() {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            bail!("{} failed:\n{}", kind.program(), said.trim());
        }
        bail!("prints something else than expected\n{diffs}");
    }
    Ok(())
}

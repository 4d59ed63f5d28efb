//! Releases: the install script of each released version, and a database that it made. They are stored so that every
//! later version can be tested on them. Checksums detect that a released script was edited.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::cluster::{Options, remove_leftovers};
use crate::context::Context;
use crate::extension::{self, Variant};
use crate::postgres_copy::PostgresCopy;
use crate::project::{MAJOR, Project};
use crate::tools;

/// A released version.
#[derive(Debug, Clone)]
pub struct Release {
    /// The version number.
    pub version: String,
    folder: PathBuf,
}

impl Release {
    /// The script that CREATE EXTENSION ran. pgrx writes its statements in another order in every build.
    pub fn script(&self) -> PathBuf {
        self.folder.join(format!("multica--{}.sql", self.version))
    }

    /// Returns the calls of a client of that version with this capability, as one statement.
    pub fn story(&self, capability: &str) -> Result<String> {
        let file = self.folder.join(format!("{capability}.sql"));
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    /// The dump of a database that the library of that version made: with tasks, events, and one role per capability.
    pub fn database(&self) -> PathBuf {
        self.folder.join("database.sql")
    }
}

/// Returns every released version, the oldest first.
pub fn all(project: &Project) -> Result<Vec<Release>> {
    let folder = folder(project);
    let mut releases = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("no folder {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            releases.push(Release { version: entry.file_name().to_string_lossy().into_owned(), folder: entry.path() });
        }
    }
    releases.sort_by_key(|release| numbers(&release.version));
    Ok(releases)
}

/// Copies the released install scripts to the folder of the new one, because a package contains only the update
/// scripts.
pub fn provide(project: &Project, copy: &PostgresCopy) -> Result<()> {
    for release in all(project)? {
        let script = release.script();
        let target = copy.extensions().join(script.file_name().unwrap_or_default());
        if !target.exists() {
            fs::copy(&script, &target).with_context(|| format!("cannot copy {}", script.display()))?;
        }
    }
    Ok(())
}

/// Stores the version of this checkout as released.
pub fn freeze(project: &Project) -> Result<ExitCode> {
    let copy = {
        let _lock = project.lock()?;
        remove_leftovers(project)?;
        let tools = tools::ensure(project, MAJOR)?;
        extension::install(project, &tools, Variant::Dev)?
    };
    let context = Context::new(project.clone(), copy);
    let cluster = context.cluster(&Options::new("release"))?;
    let database = context.fresh_database_in(&cluster)?;
    let version: String =
        database.connect()?.query_one("SELECT extversion FROM pg_extension WHERE extname = 'multica'", &[])?.get(0);
    let release = Release { folder: folder(project).join(&version), version };
    ensure!(!release.folder.exists(), "{} is released; give Cargo.toml the next version", release.version);
    database.fixture("grant/world")?;
    database.fixture("releases/database")?;
    let dump = cluster.run("pg_dump", &[&database.name])?;
    fs::create_dir_all(&release.folder)?;
    fs::write(release.database(), pinned(&dump, &release.version)?)?;
    for capability in ["reader", "daemon", "operator"] {
        let file = format!("{capability}.sql");
        let story = context.fixtures().join("grant").join(&file);
        fs::copy(story, release.folder.join(&file))?;
    }
    let built = context.copy.extensions();
    let script = release.script();
    fs::copy(built.join(script.file_name().unwrap_or_default()), &script)?;
    fs::write(sums_file(project), listed(&sums(project)?))?;
    println!("Frozen in {}", release.folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Returns the checksum of every released script by its path: the stored files, and the update scripts that lead to a
/// released version. The update script that leads to an unreleased version may still change.
pub fn sums(project: &Project) -> Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    let releases = all(project)?;
    for release in &releases {
        for file in files(&release.folder)? {
            sums.insert(relative(project, &file), sum(&file)?);
        }
    }
    for (from, to, file) in updates(project)? {
        if releases.iter().any(|release| release.version == to) {
            ensure!(numbers(&from) < numbers(&to), "{} leads back", file.display());
            sums.insert(relative(project, &file), sum(&file)?);
        }
    }
    Ok(sums)
}

/// Returns the checksums that were stored when the scripts were released.
pub fn recorded_sums(project: &Project) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(sums_file(project))?;
    let pair = |line: &str| {
        let (sum, path) = line.split_once("  ")?;
        Some((path.to_string(), sum.to_string()))
    };
    text.lines().map(|line| pair(line).with_context(|| format!("no checksum: {line}"))).collect()
}

/// Returns every update script of the checkout: the version it starts from, the version it leads to, and its file.
pub fn updates(project: &Project) -> Result<Vec<(String, String, PathBuf)>> {
    let mut updates = Vec::new();
    for file in files(&project.root.join("sql"))? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let Some(versions) = name.strip_prefix("multica--") else {
            continue;
        };
        let Some((from, to)) = versions.split_once("--") else {
            bail!("{} is no update script", file.display());
        };
        updates.push((from.to_string(), to.to_string(), file.clone()));
    }
    Ok(updates)
}

/// Returns the numbers of a version, for comparisons.
pub fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}

fn folder(project: &Project) -> PathBuf {
    project.harness().join("fixtures/releases")
}

fn sums_file(project: &Project) -> PathBuf {
    folder(project).join("SHA256SUMS")
}

/// Returns the checksums in the format of `sha256sum --check`, for the root of the checkout.
fn listed(sums: &BTreeMap<String, String>) -> String {
    sums.iter().map(|(path, sum)| format!("{sum}  {path}\n")).collect()
}

fn sum(file: &Path) -> Result<String> {
    let digest = Sha256::digest(fs::read(file)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn relative(project: &Project, file: &Path) -> String {
    file.strip_prefix(&project.root).unwrap_or(file).display().to_string()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}

/// Adds the version to CREATE EXTENSION, which a dump lacks, and removes \restrict, which older minor versions of psql
/// do not know.
fn pinned(dump: &str, version: &str) -> Result<String> {
    const CREATE: &str = "CREATE EXTENSION IF NOT EXISTS multica WITH SCHEMA public;";
    ensure!(dump.contains(CREATE), "the dump creates no extension");
    let pinned = format!("CREATE EXTENSION multica WITH SCHEMA public VERSION '{version}';");
    let text = dump.replace(CREATE, &pinned);
    let keep = |line: &&str| !["\\restrict", "\\unrestrict", "-- Dumped "].iter().any(|start| line.starts_with(start));
    Ok(text.lines().filter(keep).map(|line| format!("{line}\n")).collect())
}

//! Releases: what a version installed, and a database as it left it, frozen so that every later version can be tried on
//! them. Checksums tell when a released script was edited.

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

/// A version that was released.
#[derive(Debug, Clone)]
pub struct Release {
    /// Its number.
    pub version: String,
    folder: PathBuf,
}

impl Release {
    /// The script that CREATE EXTENSION ran. Its order is that of one build: pgrx writes another with every run.
    pub fn script(&self) -> PathBuf {
        self.folder.join(format!("multica--{}.sql", self.version))
    }

    /// What a client of that version calls with a capability, in one statement.
    pub fn story(&self, capability: &str) -> Result<String> {
        let file = self.folder.join(format!("{capability}.sql"));
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    /// A dump of a database of that version, made by its library: with work, events, and a role of each capability.
    pub fn database(&self) -> PathBuf {
        self.folder.join("database.sql")
    }
}

/// Every released version, the oldest first.
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

/// Puts the released install scripts beside the one that is built: a package carries the scripts of updates alone.
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

/// Freezes the version of this checkout.
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

/// The checksum of every released script, by path from the root of the checkout: the frozen files, and the updates to
/// released versions. The one that leads to a version still in the making may change.
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

/// The checksums that were written down when the scripts were released.
pub fn recorded_sums(project: &Project) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(sums_file(project))?;
    let pair = |line: &str| {
        let (sum, path) = line.split_once("  ")?;
        Some((path.to_string(), sum.to_string()))
    };
    text.lines().map(|line| pair(line).with_context(|| format!("no checksum: {line}"))).collect()
}

/// Every update script of the checkout: the version it starts from, the one it leads to, the file.
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

/// The parts of a version, to be compared.
pub fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}

fn folder(project: &Project) -> PathBuf {
    project.harness().join("fixtures/releases")
}

fn sums_file(project: &Project) -> PathBuf {
    folder(project).join("SHA256SUMS")
}

/// In the form that sha256sum --check takes at the root of the checkout.
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

/// A dump does not say of which version the extension is, and newer minor versions guard it with a key that older ones
/// of psql do not know.
fn pinned(dump: &str, version: &str) -> Result<String> {
    const CREATE: &str = "CREATE EXTENSION IF NOT EXISTS multica WITH SCHEMA public;";
    ensure!(dump.contains(CREATE), "the dump creates no extension");
    let pinned = format!("CREATE EXTENSION multica WITH SCHEMA public VERSION '{version}';");
    let text = dump.replace(CREATE, &pinned);
    let keep = |line: &&str| !["\\restrict", "\\unrestrict", "-- Dumped "].iter().any(|start| line.starts_with(start));
    Ok(text.lines().filter(keep).map(|line| format!("{line}\n")).collect())
}

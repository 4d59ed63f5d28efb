//! The sides of the claim cycle: multica, a bare table, and other queues on Postgres from npm and PyPI, each used as
//! its documentation recommends. The comment at the top of each side's files below bench/ describes how the side is
//! used.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use multica_harness::cluster::{Cluster, PORT, SUPERUSER};
use multica_harness::console::run_step;
use multica_harness::database::Database;
use multica_harness::project::Project;
use multica_harness::speed::ways::cycle;

use crate::files::{self, read};
use crate::queue::Texts;

/// One side.
pub struct Side {
    /// The name of the side in tables and charts.
    pub name: &'static str,
    folder: &'static str,
    origin: Origin,
}

/// The origin of a side's objects.
enum Origin {
    /// The extension.
    Multica,
    /// The tables of the extension. A step without a statement of its own uses the statement of multica.
    Table,
    /// Only the file `setup.sql` of the side.
    Own,
    /// A file of SQL in a Python package.
    File(&'static str),
    /// A Python program that prints SQL.
    Program(&'static str),
    /// A Node.js program that creates the objects and prints the statements.
    Node,
}

/// First multica, then the bare tables, then the other queues.
pub const SIDES: [Side; 8] = [
    side(cycle::OURS, OURS, Origin::Multica),
    side(cycle::TABLE, "sql/table", Origin::Table),
    side(cycle::FLOOR, "sql/bare", Origin::Own),
    side("graphile-worker", "peers/graphile-worker", Origin::Node),
    side("pg-boss", "peers/pg-boss", Origin::Node),
    side("procrastinate", "peers/procrastinate", Origin::File("procrastinate/sql/schema.sql")),
    side("pgmq", "peers/pgmq", Origin::File("pgmq/sql/pgmq.sql")),
    side("absurd", "peers/absurd", Origin::Program("import absurdctl; print(absurdctl.BUNDLED_SCHEMA_SQL)")),
];

/// The folder of multica's statements.
const OURS: &str = "sql/multica";

const fn side(name: &'static str, folder: &'static str, origin: Origin) -> Side {
    Side { name, folder, origin }
}

/// The packages of the other queues, installed into the work directory.
pub struct Packages {
    node: PathBuf,
    python: PathBuf,
}

impl Packages {
    /// Installs the versions that the files in bench/peers name.
    pub fn install(project: &Project) -> Result<Packages> {
        let lists = files::folder(project).join("peers");
        let home = project.work.join("peers");
        let packages = Packages { node: home.join("node"), python: home.join("python") };
        fs::create_dir_all(&packages.node)?;
        once(&lists.join("package.json"), &packages.node, |wanted| {
            fs::copy(wanted, packages.node.join("package.json"))?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&packages.node);
            run_step("installing queues from npm", &mut npm)
        })?;
        once(&lists.join("requirements.txt"), &packages.python, |wanted| {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--no-deps", "--target"])
                .arg(&packages.python)
                .arg("--requirement")
                .arg(wanted);
            run_step("installing queues from PyPI", &mut pip)
        })?;
        Ok(packages)
    }
}

fn once(wanted: &Path, home: &Path, install: impl FnOnce(&Path) -> Result<String>) -> Result<()> {
    let stamp = home.join("installed");
    let text = fs::read_to_string(wanted)?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == text) {
        return Ok(());
    }
    install(wanted)?;
    Ok(fs::write(stamp, text)?)
}

impl Side {
    /// Creates the objects of the side in an empty database, and returns the side's statements. A Node.js program gets
    /// `batch` as an argument, and writes it into its statements.
    pub fn prepare(&self, project: &Project, packages: &Packages, database: &Database, batch: usize) -> Result<Texts> {
        let folder = |name: &str| files::folder(project).join(name);
        let mut client = database.connect()?;
        let printed = match self.origin {
            Origin::Multica | Origin::Table | Origin::Own => BTreeMap::new(),
            Origin::File(name) => {
                client.batch_execute(&read(&packages.python.join(name))?)?;
                BTreeMap::new()
            }
            Origin::Program(program) => {
                let mut python = Command::new("python3");
                python.args(["-c", program]).env("PYTHONPATH", &packages.python);
                client.batch_execute(&output(&mut python)?)?;
                BTreeMap::new()
            }
            Origin::Node => {
                let mut node = Command::new("node");
                node.arg(folder(self.folder).join("peer.mjs"))
                    .args([address(database.cluster(), &database.name), batch.to_string()])
                    .current_dir(&packages.node);
                let printed = output(&mut node)?;
                let line = printed.lines().last().unwrap_or_default();
                serde_json::from_str(line).with_context(|| format!("{} printed {printed}", self.name))?
            }
        };
        let mut texts: Texts = printed;
        if matches!(self.origin, Origin::Table) {
            texts.extend(statements(&folder(OURS))?);
        }
        texts.extend(statements(&folder(self.folder))?);
        if let Some(setup) = texts.remove("setup") {
            client.batch_execute(&setup)?;
        }
        Ok(texts)
    }

    /// Whether the side uses the tables of multica, so that its database must be made from the extension's template.
    pub fn has_our_tables(&self) -> bool {
        matches!(self.origin, Origin::Multica | Origin::Table)
    }
}

/// Returns every statement of a folder, by the name of its file.
fn statements(folder: &Path) -> Result<Texts> {
    let mut texts = Texts::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        if file.extension().is_some_and(|kind| kind == "sql") {
            let name = file.file_stem().unwrap_or_default();
            texts.insert(name.to_string_lossy().into_owned(), read(&file)?);
        }
    }
    Ok(texts)
}

fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    anyhow::ensure!(output.status.success(), "{name} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns a connection string that the clients of all languages understand.
fn address(cluster: &Cluster, database: &str) -> String {
    let folder = cluster.socket_folder();
    format!("postgres://{SUPERUSER}@/{database}?host={}&port={PORT}", folder.display())
}

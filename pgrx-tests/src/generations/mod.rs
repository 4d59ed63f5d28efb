//! Databases of the server as they are after its migrations. Each generation is described by its catalogue in
//! `fixtures/generations/`. This module builds databases from these descriptions, fills them with rows, and migrates
//! them from one generation to another.

pub mod catalogue;
mod script;
mod walk;

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use postgres::{Client, GenericClient};
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::database::Database;
use catalogue::Catalogue;
use script::Script;

/// The table of the server's migrator, which the descriptions do not contain.
const MIGRATIONS: &str =
    "CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())";

/// One generation of the server's schema.
pub struct Generation {
    /// The number of its last migration, for example `055`.
    pub name: String,
    /// The full name of its last migration.
    pub last_migration: String,
    /// The name as a number.
    pub number: u32,
    /// Its tables and functions.
    pub catalogue: Catalogue,
}

/// The content of a file that describes a generation.
#[derive(Deserialize)]
struct Description {
    generation: String,
    last_migration: String,
    #[serde(flatten)]
    catalogue: Catalogue,
}

impl Generation {
    /// Returns the generation of a database without tables.
    fn nothing() -> Generation {
        let (name, last_migration) = ("nothing".to_string(), String::new());
        Generation { name, last_migration, catalogue: Catalogue::default(), number: 0 }
    }

    fn read(file: &Path) -> Result<Generation> {
        let described: Description = serde_json::from_str(&fs::read_to_string(file)?)?;
        let Description { generation: name, last_migration, catalogue } = described;
        let number = name.parse().context("its generation is not a number")?;
        Ok(Generation { name, last_migration, catalogue: catalogue.completed()?, number })
    }
}

/// All generations, and the SQL that belongs to them.
pub struct Generations {
    all: Vec<Generation>,
    functions: Vec<Script>,
    rows: Vec<Script>,
    backfills: Vec<Script>,
    making: Mutex<()>,
}

impl Generations {
    /// Reads `fixtures/generations/`.
    pub fn read(fixtures: &Path) -> Result<Generations> {
        let folder = fixtures.join("generations");
        let mut all = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("no folder {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                all.push(Generation::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
            }
        }
        all.sort_by_key(|generation| generation.number);
        let scripts = |name: &str| Script::all(&folder.join(name));
        let (functions, rows, backfills) = (scripts("functions")?, scripts("rows")?, scripts("backfill")?);
        Ok(Generations { all, functions, rows, backfills, making: Mutex::new(()) })
    }

    /// Returns every generation, the oldest first.
    pub fn all(&self) -> &[Generation] {
        &self.all
    }

    /// Returns the generation of this name.
    pub fn named(&self, name: &str) -> Result<&Generation> {
        self.all.iter().find(|it| it.name == name).with_context(|| format!("there is no generation {name}"))
    }

    /// Creates a database of a generation, without rows. It is a copy of a template, which the first call creates in
    /// the cluster.
    pub fn database<'a>(&self, cluster: &'a Cluster, name: &str, fixtures: &Path) -> Result<Database<'a>> {
        let generation = self.named(name)?;
        let template = format!("template_generation_{name}");
        self.copied(cluster, &template, fixtures, |client| self.build(client, generation))
    }

    /// Creates a database of a generation in which the extension is installed, with rows of every kind. It is a copy of a
    /// template too; the rows are inserted into the copy, because their times are relative to now.
    pub fn installed<'a>(&self, cluster: &'a Cluster, name: &str, fixtures: &Path) -> Result<Database<'a>> {
        let generation = self.named(name)?;
        let database = self.copied(cluster, &format!("template_installed_{name}"), fixtures, |client| {
            self.build(client, generation)?;
            client
                .batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install()")
                .with_context(|| format!("installing at {name}"))
        })?;
        self.fill(&mut database.connect()?, generation)?;
        Ok(database)
    }

    /// Copies a template, which the first call creates in the cluster.
    fn copied<'a>(
        &self,
        cluster: &'a Cluster,
        template: &str,
        fixtures: &Path,
        build: impl FnOnce(&mut Client) -> Result<()>,
    ) -> Result<Database<'a>> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let mut server = cluster.connect("postgres")?;
        if server.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&template])?.is_none() {
            // The database is renamed to the template when it is complete, so an incomplete template is never used.
            let building = Database::create(cluster, "template0", fixtures)?;
            build(&mut building.connect()?)?;
            server.batch_execute(&format!("ALTER DATABASE {} RENAME TO {template}", building.name))?;
        }
        Database::create(cluster, template, fixtures)
    }

    /// Creates the tables of a generation in an empty database, without rows.
    pub fn build(&self, client: &mut Client, generation: &Generation) -> Result<()> {
        client.batch_execute(MIGRATIONS)?;
        for earlier in self.all.iter().filter(|it| it.number < generation.number) {
            record(client, earlier)?;
        }
        self.walk(client, &Generation::nothing(), generation)
    }

    /// Migrates a database from one generation to another in one transaction, and keeps its rows. Rows that a
    /// constraint of the new generation would reject are changed first, as the server's migrations change them.
    pub fn walk(&self, client: &mut Client, from: &Generation, to: &Generation) -> Result<()> {
        let (old, new) = (&from.catalogue, &to.catalogue);
        let texts = |scripts: Vec<&Script>| scripts.into_iter().map(|script| script.text.clone()).collect();
        let parts: [Vec<String>; 5] = [
            walk::take_down(old, new),
            walk::reshape(old, new),
            texts(begun(&self.functions, from, to)),
            texts(begun(&self.backfills, from, to)),
            walk::put_up(old, new),
        ];
        let mut transaction = client.transaction()?;
        for statement in parts.iter().flatten() {
            transaction
                .batch_execute(statement)
                .with_context(|| format!("from {} to {}: {statement}", from.name, to.name))?;
        }
        record(&mut transaction, to)?;
        transaction.commit()?;
        Ok(())
    }

    /// Inserts rows into an empty database of this generation: tasks of every status, and rows of every kind that its
    /// columns allow.
    pub fn fill(&self, client: &mut Client, generation: &Generation) -> Result<()> {
        run(client, self.rows.iter().filter(|script| script.is_of(generation.number)))
    }

    /// Inserts rows that only the newer generation allows into a database that was filled in an earlier generation.
    pub fn fill_further(&self, client: &mut Client, from: &Generation, to: &Generation) -> Result<()> {
        run(client, begun(&self.rows, from, to))
    }
}

/// Returns the scripts that belong to `to` and not to `from`.
fn begun<'a>(scripts: &'a [Script], from: &Generation, to: &Generation) -> Vec<&'a Script> {
    scripts.iter().filter(|script| script.is_of(to.number) && !script.is_of(from.number)).collect()
}

fn run<'a>(client: &mut Client, scripts: impl IntoIterator<Item = &'a Script>) -> Result<()> {
    for script in scripts {
        client.batch_execute(&script.text).with_context(|| format!("rows of {}", script.name))?;
    }
    Ok(())
}

/// Inserts the row that the migrator inserts after a migration. If the database was migrated backwards, the row exists.
fn record(client: &mut impl GenericClient, generation: &Generation) -> Result<()> {
    let sql = "INSERT INTO schema_migrations (version) VALUES ($1) ON CONFLICT DO NOTHING";
    client.execute(sql, &[&generation.last_migration])?;
    Ok(())
}

//! Databases of the server as its migrations leave them: generations, each described by its catalogue in
//! `fixtures/generations/`. They are built from that description, filled with rows, and led from one generation to the
//! next.

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

/// The migrator's own table, which the catalogues do not describe.
const MIGRATIONS: &str =
    "CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())";

/// One generation of the server's schema.
pub struct Generation {
    /// The number of its last migration, for example `055`.
    pub name: String,
    /// The full name of its last migration.
    pub last_migration: String,
    /// The same as a number.
    pub number: u32,
    /// What it has.
    pub catalogue: Catalogue,
}

/// The form of a file that describes a generation.
#[derive(Deserialize)]
struct Description {
    generation: String,
    last_migration: String,
    #[serde(flatten)]
    catalogue: Catalogue,
}

impl Generation {
    /// A database without tables.
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

    /// Every generation, the oldest first.
    pub fn all(&self) -> &[Generation] {
        &self.all
    }

    /// The generation of this name.
    pub fn named(&self, name: &str) -> Result<&Generation> {
        self.all.iter().find(|it| it.name == name).with_context(|| format!("there is no generation {name}"))
    }

    /// A database of a generation, without rows: a copy of a template that the first call makes in the cluster.
    pub fn database<'a>(&self, cluster: &'a Cluster, name: &str, fixtures: &Path) -> Result<Database<'a>> {
        let generation = self.named(name)?;
        let template = format!("template_generation_{name}");
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let mut server = cluster.connect("postgres")?;
        if server.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&template])?.is_none() {
            // It gets the name of the template once it is complete.
            let building = Database::create(cluster, "template0", fixtures)?;
            self.build(&mut building.connect()?, generation)?;
            server.batch_execute(&format!("ALTER DATABASE {} RENAME TO {template}", building.name))?;
        }
        Database::create(cluster, &template, fixtures)
    }

    /// Makes an empty database one of this generation, without rows.
    pub fn build(&self, client: &mut Client, generation: &Generation) -> Result<()> {
        client.batch_execute(MIGRATIONS)?;
        for earlier in self.all.iter().filter(|it| it.number < generation.number) {
            record(client, earlier)?;
        }
        self.walk(client, &Generation::nothing(), generation)
    }

    /// Leads a database from one generation to another, in one transaction. Its rows stay; those that the other
    /// generation would refuse are changed first, as the server's migrations change them.
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

    /// Inserts rows into an empty database of this generation: tasks of every status that it has, and rows of every
    /// kind that its columns make possible.
    pub fn fill(&self, client: &mut Client, generation: &Generation) -> Result<()> {
        run(client, self.rows.iter().filter(|script| script.is_of(generation.number)))
    }

    /// The same for a database that was filled in an earlier generation: inserts the rows that have become possible.
    pub fn fill_further(&self, client: &mut Client, from: &Generation, to: &Generation) -> Result<()> {
        run(client, begun(&self.rows, from, to))
    }
}

/// The scripts that belong to one generation and not to another.
fn begun<'a>(scripts: &'a [Script], from: &Generation, to: &Generation) -> Vec<&'a Script> {
    scripts.iter().filter(|script| script.is_of(to.number) && !script.is_of(from.number)).collect()
}

fn run<'a>(client: &mut Client, scripts: impl IntoIterator<Item = &'a Script>) -> Result<()> {
    for script in scripts {
        client.batch_execute(&script.text).with_context(|| format!("rows of {}", script.name))?;
    }
    Ok(())
}

/// What the migrator writes after a migration. A database that was led back has the row.
fn record(client: &mut impl GenericClient, generation: &Generation) -> Result<()> {
    let sql = "INSERT INTO schema_migrations (version) VALUES ($1) ON CONFLICT DO NOTHING";
    client.execute(sql, &[&generation.last_migration])?;
    Ok(())
}

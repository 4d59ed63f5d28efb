//! A database has the shape that its generation describes, both after it was built and after it was migrated.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use postgres::Client;

use super::super::support::values;
use crate::context::Context;
use crate::generations::Generation;
use crate::generations::catalogue::{Catalogue, differences};

pub fn every_generation_is_built_as_its_catalogue_says(context: &Context) -> Result<()> {
    let generations = context.generations()?.all();
    ensure!(generations.len() == 14, "{} generations are described", generations.len());
    for generation in generations {
        let database = context.generation(&generation.name)?;
        expect_shape(&mut database.connect()?, generation)?;
    }
    Ok(())
}

/// In every step, the database contains rows of all earlier generations. No row is lost.
pub fn walk_reaches_every_generation(context: &Context) -> Result<()> {
    let generations = context.generations()?;
    let all = generations.all();
    let database = context.generation_with_rows(&all[0].name)?;
    let mut client = database.connect()?;
    for (from, to) in all.iter().zip(&all[1..]) {
        let before = ids(&mut client)?;
        generations.walk(&mut client, from, to)?;
        expect_shape(&mut client, to)?;
        let changes = differences(&ids(&mut client)?, &before);
        ensure!(changes.is_empty(), "rows were lost or added on the way to {}: {changes:#?}", to.name);
        generations.fill_further(&mut client, from, to)?;
    }
    Ok(())
}

/// The migration backwards drops tables and functions, which no step forward does. It adds columns at the end of their
/// tables, so their order is not compared.
pub fn walk_back_reaches_first_generation(context: &Context) -> Result<()> {
    let generations = context.generations()?;
    let [first, .., last] = generations.all() else { bail!("fewer than two generations are described") };
    let database = context.generation(&last.name)?;
    let mut client = database.connect()?;
    generations.walk(&mut client, last, first)?;
    let differences = differences(&Catalogue::read(&mut client)?.objects(), &first.catalogue.objects());
    ensure!(differences.is_empty(), "{differences:#?}");
    Ok(())
}

/// Fails unless the catalogue and the list of migrations are those of this generation.
fn expect_shape(client: &mut Client, generation: &Generation) -> Result<()> {
    let found = Catalogue::read(client)?;
    let mut wrong = differences(&found.objects(), &generation.catalogue.objects());
    wrong.extend(differences(&found.orders(), &generation.catalogue.orders()));
    ensure!(wrong.is_empty(), "generation {}: {wrong:#?}", generation.name);
    let recorded = values(client, "SELECT max(version) FROM schema_migrations")?;
    ensure!(recorded == [generation.last_migration.as_str()], "generation {}: {recorded:?}", generation.name);
    Ok(())
}

/// Returns the ids of all rows, with their tables.
fn ids(client: &mut Client) -> Result<BTreeSet<String>> {
    let tables = values(
        client,
        "SELECT DISTINCT format('SELECT %L, id FROM %I', relname, relname)
         FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'id'
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'",
    )?;
    Ok(values(client, &tables.join(" UNION ALL "))?.into_iter().collect())
}

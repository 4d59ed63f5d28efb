//! Runs a case in the databases of every generation of the server whose tables have the features that the case is about.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::support::values;
use crate::context::Context;
use crate::database::Database;

/// Runs a case in a database of each generation that has all of `features`. The database has the rows of the fixtures
/// (`fixtures/generations/rows/`) and the extension. Prints which generations were left out, and why.
pub fn on_generations(
    context: &Context,
    features: &[&str],
    case: impl Fn(&mut Client, &str) -> Result<()>,
) -> Result<()> {
    on_each(context, features, |_, client, name| case(client, name))
}

/// As [`on_generations`], for a case that opens more sessions in the database.
pub fn on_databases(
    context: &Context,
    features: &[&str],
    case: impl Fn(&Database, &mut Client) -> Result<()>,
) -> Result<()> {
    on_each(context, features, |database, client, _| case(database, client))
}

/// As [`on_databases`], with a fixture. The tables that install makes are one more database, without other rows.
pub fn on_all_tables(
    context: &Context,
    features: &[&str],
    fixture: &str,
    case: impl Fn(&Database, &mut Client, &[String]) -> Result<()>,
) -> Result<()> {
    let mut ran = 0;
    let mut run = |name: &str, database: Database| -> Result<()> {
        let mut client = database.connect()?;
        let present = values(&mut client, "SELECT unnest(features) FROM multica_status()")?;
        if let Some(missing) = features.iter().find(|feature| !present.iter().any(|it| it == *feature)) {
            println!("  not at {name}, because it has no feature {missing}");
            return Ok(());
        }
        database.fixture(fixture)?;
        ran += 1;
        case(&database, &mut client, &present).with_context(|| format!("at {name}"))
    };
    run("tables that install made", context.fresh_database()?)?;
    for generation in context.generations()?.all() {
        run(&generation.name, context.installed_generation(&generation.name)?)?;
    }
    ensure!(ran > 0, "no tables have the features {features:?}");
    Ok(())
}

fn on_each(
    context: &Context,
    features: &[&str],
    case: impl Fn(&Database, &mut Client, &str) -> Result<()>,
) -> Result<()> {
    let mut ran = 0;
    for generation in context.generations()?.all() {
        let name = &generation.name;
        let database = context.installed_generation(name)?;
        let mut client = database.connect()?;
        let present = values(&mut client, "SELECT unnest(features) FROM multica_status()")?;
        if let Some(missing) = features.iter().find(|feature| !present.iter().any(|it| it == *feature)) {
            println!("  not at {name}, because it has no feature {missing}");
            continue;
        }
        case(&database, &mut client, name).with_context(|| format!("at {name}"))?;
        ran += 1;
    }
    ensure!(ran > 0, "no generation has the features {features:?}");
    Ok(())
}

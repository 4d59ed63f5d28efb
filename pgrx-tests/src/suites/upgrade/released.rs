//! Released scripts stay unchanged, and their symbols stay in the library.

use anyhow::{Context as _, Result, ensure};

use super::super::install::support::{install, value, with_action};
use super::support::{cluster, current};
use crate::cluster::Options;
use crate::context::Context;
use crate::release::{self, Release};

/// The released scripts made the databases of users. An edit would not reach these databases, and every later update
/// would be tested on objects that no user has. The same is true for a change of a released version.
pub fn released_scripts_are_unchanged(context: &Context) -> Result<()> {
    let (found, recorded) = (release::sums(&context.project)?, release::recorded_sums(&context.project)?);
    ensure!(!recorded.is_empty(), "no checksum is recorded");
    for (path, sum) in &recorded {
        ensure!(
            found.get(path) == Some(sum),
            "{path} was released and must stay unchanged; write an update script instead"
        );
    }
    for path in found.keys() {
        ensure!(recorded.contains_key(path), "{path} has no checksum");
    }
    for release in release::all(&context.project)? {
        let built = context.copy.extensions().join(release.script().file_name().context("a script has a name")?);
        if built.exists() {
            ensure!(
                statements(&std::fs::read_to_string(&built)?)
                    == statements(&std::fs::read_to_string(release.script())?),
                "{} is released, but this checkout installs another script under its name",
                release.version
            );
        }
    }
    Ok(())
}

/// The lines of an install script without comments, sorted, because their order differs with every build.
fn statements(script: &str) -> Vec<&str> {
    let is_statement = |line: &&str| !line.is_empty() && !line.starts_with("--") && !line.starts_with("/*");
    let mut lines: Vec<&str> = script.lines().filter(is_statement).collect();
    lines.sort_unstable();
    lines
}

/// The symbols of a released version must stay in the library, because old SQL objects, pg_upgrade and dumps refer to
/// them.
pub fn library_exports_symbols_of_released_scripts(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut client = database.connect()?;
    for release in release::all(&context.project)? {
        let symbols = symbols(&release)?;
        ensure!(symbols.len() > 40, "{} symbols were found", symbols.len());
        for symbol in symbols {
            client
                .batch_execute(&format!(
                    "CREATE OR REPLACE FUNCTION called() RETURNS void LANGUAGE c AS 'multica', '{symbol}'"
                ))
                .with_context(|| format!("{} calls {symbol}, which the library lacks", release.version))?;
        }
    }
    Ok(())
}

fn symbols(release: &Release) -> Result<Vec<String>> {
    let script = std::fs::read_to_string(release.script())?;
    let after = script.split("'MODULE_PATHNAME', '").skip(1);
    Ok(after.filter_map(|rest| rest.split('\'').next()).map(str::to_string).collect())
}

/// Every release must have an update path, because otherwise its users would have to drop the extension.
pub fn every_release_can_update_to_this_version(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("paths"))?;
    let current = current(&cluster)?;
    let mut client = cluster.connect("postgres")?;
    let releases = release::all(&context.project)?;
    ensure!(!releases.is_empty(), "there is no release");
    for release in releases.iter().filter(|it| it.version != current) {
        let path: Option<String> = client
            .query_opt(
                "SELECT path FROM pg_extension_update_paths('multica') WHERE source = $1 AND target = $2",
                &[&release.version, &current],
            )?
            .and_then(|row| row.get(0));
        ensure!(path.is_some(), "no update leads from {} to {current}", release.version);
    }
    Ok(())
}

/// Every release can be updated in a database of the newest generation of the server, which no release before 0.4.0
/// adopts.
pub fn every_release_updates_beside_newest_server(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("newest"))?;
    let generations = context.generations()?;
    let newest = generations.all().last().context("no generation is described")?;
    for release in release::all(&context.project)? {
        let database = generations.database(&cluster, &newest.name, &context.fixtures())?;
        let mut client = database.connect()?;
        generations.fill(&mut client, newest)?;
        client.batch_execute(&format!("CREATE EXTENSION multica VERSION '{}'", release.version))?;
        client.batch_execute("ALTER EXTENSION multica UPDATE")?;
        let steps = install(&mut client)?;
        ensure!(with_action(&steps, "missing").is_empty(), "after {}: {steps:?}", release.version);
        let seen: i64 = value(&mut client, "SELECT multica_heartbeat_many(ARRAY(SELECT id FROM agent_runtime))")?;
        ensure!(seen > 0, "after {}, no runtime was seen", release.version);
    }
    Ok(())
}

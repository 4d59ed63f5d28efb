//! What the pages tell an operator to run in a bad hour, taken from the pages and run where it matters: on wreckage of
//! an old server, after a dump that lost the settings, on a schema with another name, at the very end.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use super::Suite;
use super::docs::blocks;
use super::install::support::{all_adopted, install, server};
use super::support::{dead_machine, digest, expect, expect_state, id, lines, team, value, values};
use crate::cluster::Options;
use crate::context::Context;

/// Dumps and the catalogue.
pub const ALL: &[(&str, Suite)] = suite![
    settings_lost_by_dump_can_be_restored,
    renamed_schema_is_refused_until_recreated,
    uninstall_restores_original_catalogue,
];

/// Rows that an old server left.
pub const AT_HOME: &[(&str, Suite)] =
    suite![interrupted_failures_of_server_are_repaired, finished_failures_of_server_are_unchanged,];

/// What the page says of wreckage: the query that lists it, and the two statements that set it right.
fn wreckage(context: &Context) -> Result<(String, String)> {
    let tasks = blocks(context, "wreckage.md", "The failed tasks")?;
    let agents = blocks(context, "wreckage.md", "The agents")?;
    let [list, hand_in, ..] = tasks.as_slice() else {
        bail!("the page lists failed tasks and hands them in");
    };
    ensure!(hand_in.contains("multica_handle_failed_tasks"), "the page hands in something else: {hand_in}");
    Ok((list.clone(), format!("{hand_in}{}", agents.concat())))
}

/// The old server has failed what a dead machine ran, and died before anything followed: in the end all is as if a
/// sweep had done it.
fn interrupted_failures_of_server_are_repaired(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    let folder = context.project.root.join("bench/sql/server");
    for statement in ["mark_stale.sql", "fail.sql"] {
        client.batch_execute(&fs::read_to_string(folder.join(statement))?)?;
    }
    let (list, repair) = wreckage(context)?;
    let failed = "SELECT count(*) FROM agent_task_queue WHERE status = 'failed'";
    let found = values(&mut client, &list)?.len();
    ensure!(value(&mut client, failed)? == found.to_string(), "the page lists {found} tasks");
    client.batch_execute(&repair)?;
    let expected: Vec<&str> =
        include_str!("../../fixtures/story_swept.txt").lines().filter(|line| !line.contains("stale_sweep")).collect();
    let told = lines(context, &database, "story")?;
    ensure!(told == expected, "{told:#?}\ninstead of\n{expected:#?}");
    let before = digest(context, &database)?;
    client.batch_execute(&repair)?;
    ensure!(digest(context, &database)? == before, "the second run did something");
    ensure!(values(&mut client, &list)?.is_empty(), "what was handed in is still listed");
    Ok(())
}

/// A failure of which everything followed, and one after which the work came to an end, are left alone: neither retried
/// nor the issue set back.
fn finished_failures_of_server_are_unchanged(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    // e1 has its retry, e2; after e3 another run of the issue was completed, e4.
    client.batch_execute(&format!(
        "SELECT task('e1'), task('e2'), task('e3'), task('e4');
         UPDATE agent_task_queue
         SET status = 'failed', failure_reason = 'timeout', completed_at = now() - interval '2 hours'
         WHERE id IN ({e1}, {e3});
         UPDATE agent_task_queue SET issue_id = {d1} WHERE id IN ({e1}, {e2});
         UPDATE agent_task_queue SET parent_task_id = {e1}, attempt = 2 WHERE id = {e2};
         UPDATE agent_task_queue SET issue_id = {d2} WHERE id IN ({e3}, {e4});
         UPDATE agent_task_queue SET status = 'completed', completed_at = now() WHERE id = {e4}",
        e1 = id("e1"),
        e2 = id("e2"),
        e3 = id("e3"),
        e4 = id("e4"),
        d1 = id("d1"),
        d2 = id("d2"),
    ))?;
    let (list, repair) = wreckage(context)?;
    ensure!(values(&mut client, &list)?.is_empty(), "what was finished is listed");
    let before = digest(context, &database)?;
    client.batch_execute(&repair)?;
    ensure!(digest(context, &database)? == before, "what was finished was touched");
    Ok(())
}

/// The statement that prints the settings of a database.
fn settings_again(context: &Context) -> Result<String> {
    let found = blocks(context, "backup.md", "What a dump carries")?;
    let block = found.first().context("the page has a statement for it")?;
    let (_, query) = block.split_once(";\n").context("a setting to have one, and the query")?;
    Ok(query.to_string())
}

/// Without --create sweeping is off in the copy; what the page prints switches it on again.
fn settings_lost_by_dump_can_be_restored(context: &Context) -> Result<()> {
    let old = context.cluster(&Options::new("old"))?;
    let database = context.fresh_database_in(&old)?;
    let name = &database.name;
    let mut client = database.connect()?;
    client.batch_execute(&format!(
        "ALTER DATABASE {name} SET multica.sweep = on; ALTER DATABASE {name} SET multica.stale_after = '90s'"
    ))?;
    let again = values(&mut client, &settings_again(context)?)?;
    let script = old.run("pg_dump", &["--dbname", name])?;
    let created = old.run("pg_dump", &["--create", "--dbname", name])?;
    ensure!(
        created.contains("\"multica.stale_after\"") && !script.contains("multica.stale_after"),
        "only --create carries settings"
    );

    let new = context.cluster(&Options::new("new"))?;
    let mut server = new.connect("postgres")?;
    server.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))?;
    let file = new.socket_folder().join("dump.sql");
    fs::write(&file, script)?;
    let file = file.display().to_string();
    new.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", name, "-f", &file])?;
    let says = "SELECT sweep, stale_after FROM multica_status()";
    expect(&mut new.connect(name)?, says, "off 00:00:45")?;
    server.batch_execute(&again.join("\n"))?;
    expect(&mut new.connect(name)?, says, "on 00:01:30")
}

/// The functions keep the old name. What the page does about it brings everything back.
fn renamed_schema_is_refused_until_recreated(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE SCHEMA fleet; CREATE EXTENSION multica SCHEMA fleet; SELECT FROM fleet.multica_install();
         INSERT INTO fleet.workspace (name, slug) VALUES ('Acme', 'acme');
         ALTER SCHEMA fleet RENAME TO agents",
    )?;
    let sweep = "SELECT FROM agents.multica_sweep()";
    expect_state(&mut database.connect()?, sweep, "55000")?;
    let install = "SELECT FROM agents.multica_install()";
    expect_state(&mut database.connect()?, install, "55000")?;
    let mut client = database.connect()?;
    let refused = client.batch_execute(install).err();
    let refused = refused.context("install works without its tables")?;
    let hint = refused.as_db_error().and_then(|error| error.hint());
    let hint = hint.context("install does not say what to do")?;
    let (_, remedy) = hint.split_once("Run ").context(hint.to_string())?;
    let (drop, create) = remedy.split_once("; ").context(hint.to_string())?;
    let (create, _) = create.split_once("; ").context(hint.to_string())?;
    client.batch_execute(&format!("{drop}; {create}"))?;
    // The function that numbers issues has the old name in it, too.
    for says in ["adopted altered", "adopted"] {
        expect(
            &mut client,
            "SELECT string_agg(DISTINCT action, ' ' ORDER BY action) FROM agents.multica_install()",
            says,
        )?;
    }
    client.batch_execute(sweep)?;
    expect(&mut client, "SELECT count(*) FROM agents.workspace", "1")
}

/// A server's database that was adopted and is given back has the catalogue it had.
fn uninstall_restores_original_catalogue(context: &Context) -> Result<()> {
    let database = server(context, "")?;
    let mut client = database.connect()?;
    client.batch_execute("DROP EXTENSION multica")?;
    let before = lines(context, &database, "catalogue")?;
    client.batch_execute("CREATE EXTENSION multica")?;
    let steps = install(&mut client)?;
    ensure!(all_adopted(&steps).is_err(), "install adds something");
    client.batch_execute(
        "SELECT FROM multica_sweep(); CREATE ROLE fleet_screen; SELECT multica_grant('fleet_screen', 'operator')",
    )?;
    let mut script = blocks(context, "uninstalling.md", "Taking it out")?;
    script.extend(blocks(context, "uninstalling.md", "Leaving nothing behind")?);
    let script = script.concat();
    let file = database.cluster().socket_folder().join("removal.sql");
    fs::write(&file, script)?;
    let file = file.display().to_string();
    database.cluster().run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &database.name, "-f", &file])?;
    let after = lines(context, &database, "catalogue")?;
    let before = without_xmin(&before);
    let after = without_xmin(&after);
    let differs: Vec<&String> = before.symmetric_difference(&after).collect();
    ensure!(differs.is_empty(), "another catalogue: {differs:#?}");
    Ok(())
}

/// Lines of the catalogue without their second word, the transaction that wrote them, and without privileges that are
/// the owner's alone: said or left unsaid, they are the same.
fn without_xmin(lines: &[String]) -> BTreeSet<String> {
    let lines = lines.iter().map(|line| {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (_, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let rest = match rest.rsplit_once(' ') {
            Some((rest, own)) if own.starts_with("{postgres=") && !own.contains(',') => rest,
            _ => rest.trim_end(),
        };
        format!("{kind} {rest}")
    });
    lines.collect()
}

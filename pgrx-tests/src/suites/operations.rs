//! Procedures of an operator, taken from the documentation: repairing what an old server left, restoring settings that
//! a dump lost, changing the schema, uninstalling.

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

/// The query of wreckage.md that lists the tasks, and the statements that repair them.
fn repair_script(context: &Context) -> Result<(String, String)> {
    let tasks = blocks(context, "wreckage.md", "The failed tasks")?;
    let agents = blocks(context, "wreckage.md", "The agents")?;
    let [list, handle_failed, ..] = tasks.as_slice() else {
        bail!("the page has no query and statement for failed tasks");
    };
    ensure!(handle_failed.contains("multica_handle_failed_tasks"), "the page has another statement: {handle_failed}");
    Ok((list.clone(), format!("{handle_failed}{}", agents.concat())))
}

/// The old server failed the tasks of a silent runtime and crashed before it wrote the consequences. After the repair
/// the rows are as after a sweep.
fn interrupted_failures_of_server_are_repaired(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    let folder = context.project.root.join("bench/sql/server");
    for statement in ["mark_stale.sql", "fail.sql"] {
        client.batch_execute(&fs::read_to_string(folder.join(statement))?)?;
    }
    let (list, repair) = repair_script(context)?;
    let failed = "SELECT count(*) FROM agent_task_queue WHERE status = 'failed'";
    let listed = values(&mut client, &list)?.len();
    ensure!(value(&mut client, failed)? == listed.to_string(), "the page lists {listed} tasks");
    client.batch_execute(&repair)?;
    let expected: Vec<&str> =
        include_str!("../../fixtures/story_swept.txt").lines().filter(|line| !line.contains("stale_sweep")).collect();
    let found = lines(context, &database, "story")?;
    ensure!(found == expected, "{found:#?}\ninstead of\n{expected:#?}");
    let before = digest(context, &database)?;
    client.batch_execute(&repair)?;
    ensure!(digest(context, &database)? == before, "the second repair changed rows");
    ensure!(values(&mut client, &list)?.is_empty(), "repaired tasks are still listed");
    Ok(())
}

/// A failed task that has its retry is not changed, and neither is a failed task whose issue has a later completed
/// task. No retry is queued, and the issue is not reset.
fn finished_failures_of_server_are_unchanged(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    // e1 has its retry, e2; after e3 another task of its issue was completed, e4.
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
    let (list, repair) = repair_script(context)?;
    ensure!(values(&mut client, &list)?.is_empty(), "finished failures are listed");
    let before = digest(context, &database)?;
    client.batch_execute(&repair)?;
    ensure!(digest(context, &database)? == before, "the repair changed finished failures");
    Ok(())
}

/// The query of backup.md that returns the settings of a database as statements.
fn settings_query(context: &Context) -> Result<String> {
    let found = blocks(context, "backup.md", "What a dump carries")?;
    let block = found.first().context("the page has no block for settings")?;
    let (_, query) = block.split_once(";\n").context("the block has no query")?;
    Ok(query.to_string())
}

/// A dump without --create leaves the sweep off in the copy; the statements that the page returns switch it on again.
fn settings_lost_by_dump_can_be_restored(context: &Context) -> Result<()> {
    let old = context.cluster(&Options::new("old"))?;
    let database = context.fresh_database_in(&old)?;
    let name = &database.name;
    let mut client = database.connect()?;
    client.batch_execute(&format!(
        "ALTER DATABASE {name} SET multica.sweep = on; ALTER DATABASE {name} SET multica.stale_after = '90s'"
    ))?;
    let statements = values(&mut client, &settings_query(context)?)?;
    let script = old.run("pg_dump", &["--dbname", name])?;
    let created = old.run("pg_dump", &["--create", "--dbname", name])?;
    ensure!(
        created.contains("\"multica.stale_after\"") && !script.contains("multica.stale_after"),
        "a dump must contain settings exactly with --create"
    );

    let new = context.cluster(&Options::new("new"))?;
    let mut server = new.connect("postgres")?;
    server.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))?;
    let file = new.socket_folder().join("dump.sql");
    fs::write(&file, script)?;
    let file = file.display().to_string();
    new.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", name, "-f", &file])?;
    let settings = "SELECT sweep, stale_after FROM multica_status()";
    expect(&mut new.connect(name)?, settings, "off 00:00:45")?;
    server.batch_execute(&statements.join("\n"))?;
    expect(&mut new.connect(name)?, settings, "on 00:01:30")
}

/// Functions keep the name of the schema in which they were created. The statements in the hint make all calls work
/// again.
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
    let refused = refused.context("install succeeds without its tables")?;
    let hint = refused.as_db_error().and_then(|error| error.hint());
    let hint = hint.context("the error of install has no hint")?;
    let (_, remedy) = hint.split_once("Run ").context(hint.to_string())?;
    let (drop, create) = remedy.split_once("; ").context(hint.to_string())?;
    let (create, _) = create.split_once("; ").context(hint.to_string())?;
    client.batch_execute(&format!("{drop}; {create}"))?;
    // The function that numbers issues has the old name in it too.
    for actions in ["adopted altered", "adopted"] {
        expect(
            &mut client,
            "SELECT string_agg(DISTINCT action, ' ' ORDER BY action) FROM agents.multica_install()",
            actions,
        )?;
    }
    client.batch_execute(sweep)?;
    expect(&mut client, "SELECT count(*) FROM agents.workspace", "1")
}

/// After uninstalling, the catalogue of an adopted database is as before the install.
fn uninstall_restores_original_catalogue(context: &Context) -> Result<()> {
    let database = server(context, "")?;
    let mut client = database.connect()?;
    client.batch_execute("DROP EXTENSION multica")?;
    let before = lines(context, &database, "catalogue")?;
    client.batch_execute("CREATE EXTENSION multica")?;
    let steps = install(&mut client)?;
    ensure!(all_adopted(&steps).is_err(), "install must add objects here");
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
    ensure!(differs.is_empty(), "the catalogue differs: {differs:#?}");
    Ok(())
}

/// Returns the lines of the catalogue without their second word, which is the transaction that wrote them, and without
/// the privileges that only the owner has: whether these are written or implied, they are the same.
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

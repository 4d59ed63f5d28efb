//! Counters that do not match the rows, because the rows were inserted without them.

use anyhow::{Context as _, Result, ensure};

use crate::context::Context;
use crate::suites::install::support::{install, server, with_action};
use crate::suites::support::{dead_machine, expect, id, value};

fn insert(number: u32) -> String {
    format!(
        "INSERT INTO issue (workspace_id, title, creator_type, creator_id, number)
         VALUES ({}, 'imported', 'member', gen_random_uuid(), {number})",
        id("a1")
    )
}

/// The counter skips numbers that are in use.
pub fn issue_counter_skips_imported_numbers(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let mut client = database.connect()?;
    client.batch_execute(&format!("INSERT INTO workspace (id, name, slug) VALUES ({}, 'Acme', 'acme')", id("a1")))?;
    for number in [2, 7, 0, 0, 0] {
        client.batch_execute(&insert(number))?;
    }
    let numbers = "SELECT string_agg(number::text, ' ' ORDER BY number) FROM issue";
    expect(&mut client, numbers, "1 2 7 8 9")?;
    client.batch_execute(&insert(12))?;
    let steps = install(&mut client)?;
    ensure!(with_action(&steps, "altered") == ["workspace.issue_counter"], "{steps:?}");
    expect(&mut client, "SELECT issue_counter FROM workspace", "12")
}

/// Install does not change rows of the server's tables. It returns the statement that an operator must run.
pub fn wrong_counter_of_adopted_database_is_reported(context: &Context) -> Result<()> {
    let database = server(context, "UPDATE workspace SET issue_counter = -1")?;
    let mut client = database.connect()?;
    let steps = install(&mut client)?;
    let step = steps
        .iter()
        .find(|step| step.object == "workspace.issue_counter")
        .context("install did not report the counter")?;
    ensure!(step.action == "missing", "{step:?}");
    expect(&mut client, "SELECT DISTINCT issue_counter FROM workspace", "-1")?;
    client.batch_execute(step.ddl.as_deref().context("the step has no statement")?)?;
    let steps = install(&mut client)?;
    ensure!(with_action(&steps, "missing").is_empty(), "{steps:?}");
    Ok(())
}

/// A sweep that finds every row locked takes ids from the sequence until it gets an id that is not in use.
pub fn totals_work_with_rows_ahead_of_sequence(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    client.batch_execute("INSERT INTO multica_sweep_total (slot) VALUES (1), (2), (3)")?;
    let mut holder = database.connect()?;
    holder.batch_execute("BEGIN; SELECT FROM multica_sweep_total FOR UPDATE")?;
    client.batch_execute("SELECT FROM multica_sweep()")?;
    let found =
        value(&mut client, "SELECT string_agg(slot || ':' || sweeps, ' ' ORDER BY slot) FROM multica_sweep_total")?;
    ensure!(found == "1:0 2:0 3:0 4:1", "{found}");
    Ok(())
}

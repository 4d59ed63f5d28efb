//! The queries for an exporter and for alerts, taken from the documentation.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::Suite;
use super::docs::blocks;
use super::support::{expect, id, team, values};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![exporter_lines_are_well_formed, every_alert_fires_in_its_state,];

/// Every line consists of a name, labels in braces if it has any, and a number. The lines with the same name follow
/// each other.
fn exporter_lines_are_well_formed(context: &Context) -> Result<()> {
    let readme = fs::read_to_string(context.project.root.join("README.md"))?;
    let on_page = blocks(context, "monitoring.md", "For an exporter")?.concat();
    ensure!(readme.contains(&on_page), "README.md and monitoring.md differ");
    let (_database, mut client) = team(context)?;
    client.batch_execute(r#"SELECT multica_take_events('the "first" \ reader')"#)?;
    let lines = values(&mut client, &on_page)?;
    client.batch_execute("CREATE TEMP TABLE scraped (line text, at integer)")?;
    for (at, line) in (0i32..).zip(&lines) {
        client.execute("INSERT INTO scraped VALUES ($1, $2)", &[line, &at])?;
    }
    let malformed = values(
        &mut client,
        r#"SELECT line FROM scraped
           WHERE line !~ '^[a-z_]+(\{[a-z_]+="([^"\\]|\\["\\n])*"(,[a-z_]+="([^"\\]|\\["\\n])*")*\})? -?[0-9.e+-]+$'"#,
    )?;
    ensure!(malformed.is_empty(), "malformed lines: {malformed:#?}");
    expect(
        &mut client,
        "SELECT count(*) > 15, count(*) FILTER (WHERE line ~ '[{]') > 10,
                count(*) FILTER (WHERE name IS DISTINCT FROM before) = count(DISTINCT name)
         FROM (SELECT line, name, lag(name) OVER (ORDER BY at) AS before
               FROM scraped, substring(line, '^[a-z_]+') AS name) AS s",
        "t t t",
    )
}

/// No alert of the page fires on a healthy database, and each fires in its state. The alerts about the worker are left
/// out, because this server has none.
fn every_alert_fires_in_its_state(context: &Context) -> Result<()> {
    let found = blocks(context, "monitoring.md", "Alerts worth having")?;
    let alerts = found.iter().find(|block| block.contains("a.alert"));
    let alerts = alerts.context("the page has a query for alerts")?;
    // The test waits neither a minute nor for a hundred thousand events.
    let mut without_delay = alerts.clone();
    for (delay, none) in [("'1 minute'", "'0'"), ("100000", "0")] {
        ensure!(without_delay.contains(delay), "the page has no delay of {delay}");
        without_delay = without_delay.replace(delay, none);
    }
    let (database, mut client) = team(context)?;
    let firing = values(&mut client, &without_delay)?;
    ensure!(firing.is_empty(), "alerts of a healthy database: {firing:?}");

    client.batch_execute(&format!(
        "SELECT FROM multica_take_events('mailer');
         SELECT task('e1'), task('e2');
         UPDATE agent_task_queue SET created_at = now() - interval '2 hours';
         UPDATE agent_runtime SET status = 'offline' WHERE id = {b1};
         UPDATE agent_runtime SET last_seen_at = now() - interval '2 hours' WHERE id <> {b1}",
        b1 = id("b1"),
    ))?;
    let mut writer = database.connect()?;
    writer.batch_execute(&format!("BEGIN; SELECT FROM multica_heartbeat({})", id("b1")))?;
    let mut firing = values(&mut client, &without_delay)?;
    firing.sort();
    let expected = [
        "events are held 1 since ",
        "events are not read mailer is 1 behind",
        "nothing sweeps 2 online and silent",
        "tasks wait for nobody 2 of 2",
        "the queue does not move the oldest task has waited for ",
    ];
    let as_expected =
        firing.len() == expected.len() && firing.iter().zip(expected).all(|(line, begins)| line.starts_with(begins));
    ensure!(as_expected, "the alerts are {firing:#?}");
    Ok(())
}

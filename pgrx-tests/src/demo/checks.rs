//! What the demo claims, looked up in the tables and in the events that were shown.

use anyhow::{Result, ensure};
use postgres::Client;

use super::timeline::Event;
use super::{Fleet, count, failed};
use crate::project::Project;

const HEADINGS: [&str; 8] = [
    "issue", "issue is", "attempt", "status", "why", "session", "work_dir", "agent",
];

const RUNTIMES: &str = "SELECT string_agg(daemon_id || ' ' || status || COALESCE(', once ' || legacy_daemon_id, ''), '; ' \
                        ORDER BY daemon_id) FROM agent_runtime";
const AGENTS: &str = "SELECT string_agg(name || ' ' || status, '; ' ORDER BY name) FROM agent";

/// Prints the task chains, then compares everything that was told with what is so.
pub fn run(
    project: &Project,
    client: &mut Client,
    events: &[Event],
    fleet: &mut Fleet,
) -> Result<()> {
    let fixture =
        |name: &str| std::fs::read_to_string(project.harness().join("fixtures").join(name));
    let cells = |row: &postgres::Row| (0..HEADINGS.len()).map(|column| row.get(column)).collect();
    let chains: Vec<Vec<String>> = client
        .query(&fixture("demo_chains.sql")?, &[])?
        .iter()
        .map(cells)
        .collect();
    print(&chains);

    println!("\nChecked:");
    let found: String = chains.iter().map(|line| line.join(" | ") + "\n").collect();
    let expected = fixture("demo_chains.txt")?;
    check(
        "every task chain is as it must be",
        found == expected,
        &format!("expected\n{expected}"),
    )?;

    let runtimes: String = client.query_one(RUNTIMES, &[])?.get(0);
    let wanted =
        "anna-laptop offline; build-box online; machine-5f1e online, once eva.local; rack-7 online";
    check(
        "only anna-laptop is offline, and eva.local lives on as machine-5f1e",
        runtimes == wanted,
        &runtimes,
    )?;

    let agents: String = client.query_one(AGENTS, &[])?.get(0);
    let wanted = "Ada idle; Bo idle; Eve working; Rex working";
    check(
        "agents without a running task are idle, the others work on",
        agents == wanted,
        &agents,
    )?;

    let told = [
        (
            "six registrations: four machines, one restart, one new identity",
            count(events, "daemon:register", "register"),
            6,
        ),
        (
            "one machine missed by the sweep",
            count(events, "daemon:register", "stale_sweep"),
            1,
        ),
        (
            "two tasks failed with anna-laptop",
            failed(events, "runtime_offline"),
            2,
        ),
        (
            "one task recovered from build-box",
            failed(events, "runtime_recovery"),
            1,
        ),
        (
            "two retries queued",
            events
                .iter()
                .filter(|event| event.kind == "task:queued")
                .count(),
            2,
        ),
        (
            "one issue back to todo",
            events
                .iter()
                .filter(|event| event.kind == "issue:updated")
                .count(),
            1,
        ),
        (
            "two agents became idle",
            events
                .iter()
                .filter(|event| event.kind == "agent:status")
                .count(),
            2,
        ),
    ];
    for (what, found, wanted) in told {
        check(
            &format!("event log: {what}"),
            found == wanted,
            &format!("{found} instead of {wanted}"),
        )?;
    }
    for (name, daemon) in &mut fleet.survivors {
        check(
            &format!("{name} was told to stop nothing"),
            daemon.alive()?,
            "its process has ended",
        )?;
    }
    Ok(())
}

fn check(what: &str, holds: bool, otherwise: &str) -> Result<()> {
    println!("  {:<6}{what}", if holds { "yes" } else { "NO" });
    ensure!(holds, "{what}: {otherwise}");
    Ok(())
}

fn print(chains: &[Vec<String>]) {
    let mut rows: Vec<Vec<String>> = vec![HEADINGS.iter().map(ToString::to_string).collect()];
    rows.extend(chains.iter().cloned());
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    println!();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        println!("  {}", cells.join("  ").trim_end());
    }
}

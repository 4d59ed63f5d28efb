//! The checks at the end of the demo: of the tables, of the events that were printed, and of the disks of the machines.

use std::path::Path;

use anyhow::{Result, ensure};
use postgres::Client;

use super::scenario::Fleet;
use super::session_folder::SessionFolder;
use crate::project::Project;

const HEADINGS: [&str; 7] = ["issue", "issue is", "attempt", "status", "why", "session", "agent"];

/// The queries that must return no row at the end of a demo. Each row that a query returns contradicts its sentence.
const STATEMENTS: [(&str, &str); 7] = [
    (
        "every issue is done, or its last attempt failed because its machine was away, and it is in todo again",
        "SELECT 'ACME-' || i.number || ' is ' || i.status || ', its last task ' || t.status
         FROM issue AS i
         JOIN LATERAL (SELECT * FROM agent_task_queue AS t WHERE t.issue_id = i.id ORDER BY t.attempt DESC LIMIT 1) AS t
             ON true
         WHERE NOT (i.status = 'done' AND t.status = 'completed'
             OR i.status = 'todo' AND t.status = 'failed' AND t.attempt = t.max_attempts
                AND t.failure_reason IN ('runtime_offline', 'runtime_recovery'))",
    ),
    (
        "no issue was lost",
        "SELECT count(*) || ' issues with a task' FROM (SELECT DISTINCT issue_id FROM agent_task_queue) AS t
         HAVING count(*) <> 12",
    ),
    (
        "every failed attempt that was not the last one has a retry in the same session",
        "SELECT t.id::text FROM agent_task_queue AS t
         LEFT JOIN agent_task_queue AS n ON n.parent_task_id = t.id
         WHERE t.status = 'failed' AND t.attempt < t.max_attempts
           AND (n.id IS NULL OR n.attempt <> t.attempt + 1 OR t.session_id <> n.session_id)",
    ),
    (
        "every issue has one comment per completed task",
        "SELECT i.title FROM issue AS i
         WHERE (SELECT count(*) FROM comment AS c WHERE c.issue_id = i.id)
            <> (SELECT count(*) FROM agent_task_queue AS t WHERE t.issue_id = i.id AND t.status = 'completed')",
    ),
    ("every agent is idle", "SELECT name || ' is ' || status FROM agent WHERE status <> 'idle'"),
    (
        "every machine is online under one name only",
        "SELECT string_agg(daemon_id || ' ' || status, ', ') FROM agent_runtime
         HAVING count(*) <> 4 OR bool_or(status <> 'online')",
    ),
    (
        "every task is on the runtime of its agent",
        "SELECT t.id::text FROM agent_task_queue AS t JOIN agent AS a ON a.id = t.agent_id WHERE a.runtime_id <> t.runtime_id",
    ),
];
const COMPLETED: &str =
    "SELECT session_id, work_dir, (context ->> 'steps')::int FROM agent_task_queue WHERE status = 'completed'";
const OUTCOME: &str =
    "SELECT count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status = 'todo') FROM issue";
const ENDED: &str = "SELECT count(*) FROM agent_task_queue WHERE 'task:' || status = $1";

/// Prints the attempts of each issue, then compares the printed events with the tables.
pub fn run(project: &Project, client: &mut Client, printed: &[String], fleet: &mut Fleet) -> Result<()> {
    let chains = project.harness().join("fixtures/demo_chains.sql");
    let cells = |row: &postgres::Row| (0..HEADINGS.len()).map(|column| row.get(column)).collect();
    let chains: Vec<Vec<String>> = client.query(&std::fs::read_to_string(chains)?, &[])?.iter().map(cells).collect();
    print(&chains);

    println!("\nChecked:");
    for (statement, contradictions) in STATEMENTS {
        let rows = client.query(contradictions, &[])?;
        let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        check(statement, found.is_empty(), &found.join("; "))?;
    }
    let unfinished = unfinished(client)?;
    check(
        "every retry continued where the attempt before it stopped: each step was done once",
        unfinished.is_empty(),
        &unfinished.join("; "),
    )?;
    for kind in ["task:completed", "task:failed"] {
        let events = printed.iter().filter(|printed| *printed == kind).count() as i64;
        let tasks: i64 = client.query_one(ENDED, &[&kind])?.get(0);
        check(
            &format!("there is one event {kind} per such task"),
            events == tasks,
            &format!("{events} events, {tasks} tasks"),
        )?;
    }
    for machine in &mut fleet.machines {
        machine.check()?;
    }
    let row = client.query_one(OUTCOME, &[])?;
    let (done, failed): (i64, i64) = (row.get(0), row.get(1));
    println!("\n{done} issues done, {failed} failed and back in todo.");
    Ok(())
}

/// Returns completed tasks whose sessions do not have every step exactly once.
fn unfinished(client: &mut Client) -> Result<Vec<String>> {
    let mut unfinished = Vec::new();
    for row in client.query(COMPLETED, &[])? {
        let (session, folder, steps): (String, String, i32) = (row.get(0), row.get(1), row.get(2));
        let disk = Path::new(&folder).parent().unwrap_or(Path::new("/"));
        let done = SessionFolder::open(disk, &session)?.steps_done();
        if done != steps as usize {
            unfinished.push(format!("{session} has {done} steps of {steps}"));
        }
    }
    Ok(unfinished)
}

fn check(what: &str, holds: bool, contradiction: &str) -> Result<()> {
    println!("  {:<6}{what}", if holds { "yes" } else { "NO" });
    ensure!(holds, "{what}: {contradiction}");
    Ok(())
}

fn print(chains: &[Vec<String>]) {
    let mut rows: Vec<Vec<String>> = vec![HEADINGS.iter().map(ToString::to_string).collect()];
    rows.extend(chains.iter().cloned());
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    println!();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("  {}", cells.join("  ").trim_end());
    }
}

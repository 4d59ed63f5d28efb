//! The checks at the end of the demo: of the tables, of the events that were printed, and of the disks of the machines.

use std::path::Path;

use anyhow::{Result, ensure};
use postgres::Client;

use super::scenario::Player;
use super::session_folder::SessionFolder;
use super::timeline::Event;
use crate::project::Project;

const HEADINGS: [&str; 7] = ["issue", "issue is", "attempt", "status", "why", "session", "agent, and its machine now"];

/// The queries that must return no row at the end of a demo. Each row that a query returns contradicts its sentence.
const STATEMENTS: [(&str, &str); 8] = [
    (
        "every task failed, was retried and was completed as announced",
        "SELECT 'ACME-' || e.number || ': ' || COALESCE(a.attempts, 'no task')
         FROM (VALUES
             (1, 'completed on desk'),
             (2, 'failed (runtime_offline) on anna-laptop, completed on anna-laptop'),
             (3, 'failed (runtime_offline) on ben-laptop, completed on ben-laptop'),
             (4, 'failed (runtime_recovery) on build-box, completed on build-box'),
             (5, 'failed (runtime_offline) on rack-8, completed on rack-8'),
             (6, 'failed (runtime_offline) on rack-8'),
             (7, 'failed (idle_timeout) on gpu-box, completed on gpu-box'),
             (8, 'failed (runtime_recovery) on ci-box, completed on ci-box')
         ) AS e (number, attempts)
         LEFT JOIN LATERAL (
             SELECT string_agg(
                 t.status || COALESCE(' (' || t.failure_reason || ')', '') || ' on ' || r.daemon_id, ', ' ORDER BY t.attempt
             ) AS attempts
             FROM agent_task_queue AS t
             JOIN issue AS i ON i.id = t.issue_id
             JOIN agent_runtime AS r ON r.id = t.runtime_id
             WHERE i.number = e.number
         ) AS a ON true
         WHERE a.attempts IS DISTINCT FROM e.attempts",
    ),
    (
        "every issue is done; that of the task with a single attempt is in todo again",
        "SELECT 'ACME-' || number || ' is ' || status FROM issue
         WHERE status <> CASE number WHEN 6 THEN 'todo' ELSE 'done' END",
    ),
    (
        "the runs of the laptops went on in the processes that had begun them",
        "SELECT 'ACME-' || number || ': ' || resumed || ' resumed' FROM (
             SELECT i.number, count(e.id) AS resumed
             FROM issue AS i
             LEFT JOIN multica_event_log AS e ON e.type = 'task:resumed' AND e.payload ->> 'issue_id' = i.id::text
             GROUP BY i.number
         ) AS r
         WHERE resumed <> CASE WHEN number IN (2, 3) THEN 1 ELSE 0 END",
    ),
    (
        "every retry has the session of the attempt before",
        "SELECT n.id::text FROM agent_task_queue AS n JOIN agent_task_queue AS t ON t.id = n.parent_task_id
         WHERE n.session_id IS DISTINCT FROM t.session_id OR n.attempt <> t.attempt + 1",
    ),
    (
        "every issue has one comment per completed task",
        "SELECT i.title FROM issue AS i
         WHERE (SELECT count(*) FROM comment AS c WHERE c.issue_id = i.id)
            <> (SELECT count(*) FROM agent_task_queue AS t WHERE t.issue_id = i.id AND t.status = 'completed')",
    ),
    ("every agent is idle", "SELECT name || ' is ' || status FROM agent WHERE status <> 'idle'"),
    (
        "seven machines are online, and rack-8 has the agents of rack-7",
        "SELECT string_agg(daemon_id || ' ' || status, ', ') FROM agent_runtime
         HAVING count(*) <> 7 OR bool_or(status <> 'online' OR daemon_id = 'rack-7')",
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

/// Prints the attempts of each issue, then compares the events with the tables.
pub fn run(project: &Project, client: &mut Client, events: &[Event], players: &mut [Player]) -> Result<()> {
    let chains = project.harness().join("fixtures/demo_chains.sql");
    let cells = |row: &postgres::Row| (0..HEADINGS.len()).map(|column| row.get(column)).collect();
    let chains: Vec<Vec<String>> = client.query(&std::fs::read_to_string(chains)?, &[])?.iter().map(cells).collect();
    println!("\nWhat the tables say now, a line per attempt:");
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
        let recorded = events.iter().filter(|event| event.kind == kind).count() as i64;
        let tasks: i64 = client.query_one(ENDED, &[&kind])?.get(0);
        check(
            &format!("there is one event {kind} per such task"),
            recorded == tasks,
            &format!("{recorded} events, {tasks} tasks"),
        )?;
    }
    for player in players {
        player.machine.check()?;
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

//! The other ways: one transaction of set-based SQL, and a client that works row by row.

use std::collections::HashSet;

use anyhow::Result;
use postgres::Client;
use uuid::Uuid;

use crate::bench::Bench;
use crate::files::{folder, read};

/// Set-based SQL as a person writes it who knows these tables: one transaction, one statement per step. `files`: the
/// folder of the statements.
pub fn floor(bench: &Bench, files: &str, client: &mut Client) -> Result<()> {
    let folder = folder(&bench.context.project).join("sql").join(files);
    let mut files: Vec<_> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    let mut transaction = client.transaction()?;
    for file in files {
        transaction.batch_execute(&read(&file)?)?;
    }
    Ok(transaction.commit()?)
}

/// Works row by row as an application does: prepared statements, each in its own transaction.
pub fn server(bench: &Bench, client: &mut Client) -> Result<()> {
    let mut statement = |name: &str| -> Result<postgres::Statement> {
        Ok(client.prepare(&bench.text(&format!("server/{name}.sql"))?)?)
    };
    let mark_stale = statement("mark_stale")?;
    let fail = statement("fail")?;
    let retry = statement("retry")?;
    let issue = statement("issue")?;
    let has_active = statement("has_active")?;
    let reset_issue = statement("reset_issue")?;
    let count_running = statement("count_running")?;
    let agent_status = statement("agent_status")?;

    client.query(&mark_stale, &[])?;
    let mut agents = HashSet::new();
    let mut settled = HashSet::new();
    for row in client.query(&fail, &[])? {
        let (task, of_issue, agent): (Uuid, Uuid, Uuid) = (row.get(0), row.get(1), row.get(2));
        agents.insert(agent);
        if row.get(3) {
            client.query_one(&retry, &[&task])?;
            settled.insert(of_issue);
        }
        let status: String = client.query_one(&issue, &[&of_issue])?.get("status");
        if status == "in_progress" && settled.insert(of_issue) {
            let active: bool = client.query_one(&has_active, &[&of_issue])?.get(0);
            if !active {
                client.query_one(&reset_issue, &[&of_issue])?;
            }
        }
    }
    for agent in agents {
        let running: i64 = client.query_one(&count_running, &[&agent])?.get(0);
        let status = if running > 0 { "working" } else { "idle" };
        client.query_one(&agent_status, &[&agent, &status])?;
    }
    Ok(())
}

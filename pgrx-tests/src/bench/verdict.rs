//! A sweep that fails orphaned tasks with all consequences, against two other ways to the same end.

use std::collections::HashSet;
use std::time::Instant;

use anyhow::{Result, ensure};
use postgres::Client;
use uuid::Uuid;

use super::{Spread, read, settle, text};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;

/// How much there is to fail.
#[derive(Debug, Clone, clap::Args)]
pub struct Size {
    /// Tasks in flight on dead runtimes
    #[arg(long, default_value_t = 5000)]
    orphans: i64,
    /// Dead runtimes
    #[arg(long, default_value_t = 200)]
    runtimes: i64,
    /// Repetitions of each way
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
}

impl Default for Size {
    fn default() -> Size {
        Size {
            orphans: 5000,
            runtimes: 200,
            repetitions: 5,
        }
    }
}

type Way = fn(&Context, &mut Client) -> Result<()>;

const WAYS: [(&str, Way); 3] = [
    ("multica_sweep()", sweep),
    ("hand-written set-based SQL", floor),
    ("one statement after another", server),
];

/// Runs every way on copies of one database, in turn, and prints the ratios.
pub fn measure(context: &Context, cluster: &Cluster, size: &Size) -> Result<()> {
    let loaded = context.fresh_database_in(cluster)?;
    let load = text(&context.project, "verdict/load.sql")?;
    let mut client = loaded.connect()?;
    client.execute(&load, &[&size.orphans, &size.runtimes])?;
    client.batch_execute("ANALYZE")?;
    drop(client);

    let mut times: [Vec<f64>; 3] = Default::default();
    let mut outcomes = HashSet::new();
    let mut events = HashSet::new();
    for _ in 0..size.repetitions {
        for (place, (_, way)) in WAYS.iter().enumerate() {
            let database = Database::create(cluster, &loaded.name, &context.fixtures())?;
            settle(cluster)?;
            let mut client = database.connect()?;
            client.batch_execute("SET multica.batch_size = 1000000")?;
            let began = Instant::now();
            way(context, &mut client)?;
            times[place].push(began.elapsed().as_secs_f64() * 1000.0);
            outcomes.insert(digest(context, &mut client, "outcome")?);
            if place < 2 {
                events.insert(digest(context, &mut client, "events")?);
            }
        }
    }
    ensure!(outcomes.len() == 1, "the ways leave different rows behind");
    ensure!(events.len() == 1, "the ways record different events");

    println!(
        "\nVerdict: {} orphans on {} runtimes, {} repetitions; rows and events checked equal",
        size.orphans, size.runtimes, size.repetitions
    );
    let spreads = times.map(Spread::of);
    for ((name, _), spread) in WAYS.iter().zip(&spreads) {
        println!(
            "  {name:<28} {:8.1} ms  ({:.1} to {:.1})  {:5.2} × multica_sweep()",
            spread.median,
            spread.least,
            spread.most,
            spread.median / spreads[0].median
        );
    }
    println!(
        "  multica_sweep() takes {:.2} × the set-based SQL (which takes no locks first); one statement after another, \
         which records no events, takes {:.1} × multica_sweep()",
        spreads[0].median / spreads[1].median,
        spreads[2].median / spreads[0].median
    );
    Ok(())
}

fn digest(context: &Context, client: &mut Client, of: &str) -> Result<String> {
    let query = text(&context.project, &format!("verdict/{of}.sql"))?;
    Ok(client.query_one(&query, &[])?.get(0))
}

fn sweep(_: &Context, client: &mut Client) -> Result<()> {
    client.query_one("SELECT * FROM multica_sweep()", &[])?;
    Ok(())
}

/// What somebody would write who knows these tables: one transaction, six statements.
fn floor(context: &Context, client: &mut Client) -> Result<()> {
    let folder = context.project.harness().join("bench/floor");
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    let mut transaction = client.transaction()?;
    for file in files {
        transaction.batch_execute(&read(&file)?)?;
    }
    Ok(transaction.commit()?)
}

/// The application's way: prepared statements, each a transaction, row by row.
fn server(context: &Context, client: &mut Client) -> Result<()> {
    let mut statement = |name: &str| -> Result<postgres::Statement> {
        Ok(client.prepare(&text(&context.project, &format!("server/{name}.sql"))?)?)
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

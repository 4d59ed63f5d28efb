//! Claim, start, complete: how many tasks a second go through, and what history behind the queue costs.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use postgres::Client;
use uuid::Uuid;

use super::{settle, text};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;

/// How much goes through, and past how much history.
#[derive(Debug, Clone, clap::Args)]
pub struct Load {
    /// Finished tasks behind the queue, one run each
    #[arg(long, value_delimiter = ',', default_values_t = [0, 100_000, 1_000_000])]
    histories: Vec<i64>,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 4)]
    seconds: u64,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            histories: vec![0, 100_000, 1_000_000],
            seconds: 4,
        }
    }
}

const CONNECTIONS: [usize; 3] = [1, 4, 16];
const BATCHES: [i32; 2] = [1, 10];
/// More than any measurement takes.
const WAITING: i64 = 64_000;
/// Calls of the idle claim and of its lookup.
const IDLE_CALLS: u32 = 4000;

/// What one measurement gave.
struct Rate {
    cycles: f64,
    claim_p99: Duration,
}

/// Measures every history, and prints rates, their ratio to no history, and the p99 of a claim.
pub fn measure(context: &Context, cluster: &Cluster, load: &Load) -> Result<()> {
    println!(
        "\nClaim cycle: claim, start, complete with all events; one runtime and agent a connection; {} s each",
        load.seconds
    );
    println!("  history  batch  connections   cycles/s  of no history  claim p99");
    let mut first = Vec::new();
    for (round, history) in load.histories.iter().enumerate() {
        let prepared = prepare(context, cluster, *history)?;
        let mut place = 0;
        for batch in BATCHES {
            for connections in CONNECTIONS {
                let database = Database::create(cluster, &prepared.name, &context.fixtures())?;
                settle(cluster)?;
                let rate = drive(&database, connections, batch, load.seconds)?;
                if round == 0 {
                    first.push(rate.cycles);
                }
                println!(
                    "  {history:>7}  {batch:>5}  {connections:>11}  {:>9.0}  {:>13.2}  {:>7.2} ms",
                    rate.cycles,
                    rate.cycles / first[place],
                    rate.claim_p99.as_secs_f64() * 1000.0
                );
                place += 1;
            }
        }
        idle(context, &prepared)?;
    }
    Ok(())
}

fn prepare<'a>(context: &Context, cluster: &'a Cluster, history: i64) -> Result<Database<'a>> {
    let database = context.fresh_database_in(cluster)?;
    let mut client = database.connect()?;
    let project = &context.project;
    client.batch_execute(&text(project, "cycle/fleet.sql")?)?;
    client.execute(&text(project, "cycle/history.sql")?, &[&history])?;
    client.execute(&text(project, "cycle/queue.sql")?, &[&WAITING])?;
    client.batch_execute("VACUUM (ANALYZE)")?;
    Ok(database)
}

fn runtimes(client: &mut Client) -> Result<Vec<Uuid>> {
    let rows = client.query("SELECT id FROM agent_runtime ORDER BY id", &[])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn drive(database: &Database, connections: usize, batch: i32, seconds: u64) -> Result<Rate> {
    let runtimes = runtimes(&mut database.connect()?)?;
    let limit = Duration::from_secs(seconds);
    let began = Instant::now();
    let mut claims = Vec::new();
    let mut cycles = 0;
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = runtimes[..connections]
            .iter()
            .map(|runtime| {
                let mut client = database.connect()?;
                Ok(scope.spawn(move || work(&mut client, runtime, batch, limit)))
            })
            .collect::<Result<_>>()?;
        for worker in workers {
            let (done, times) = worker.join().expect("a worker does not panic")?;
            cycles += done;
            claims.extend(times);
        }
        Ok(())
    })?;
    let elapsed = began.elapsed().as_secs_f64();
    claims.sort();
    Ok(Rate {
        cycles: cycles as f64 / elapsed,
        claim_p99: claims[(claims.len() * 99 / 100).min(claims.len() - 1)],
    })
}

fn work(
    client: &mut Client,
    runtime: &Uuid,
    batch: i32,
    limit: Duration,
) -> Result<(usize, Vec<Duration>)> {
    let claim = client.prepare("SELECT id, claim_token FROM multica_claim($1, $2)")?;
    let start = client.prepare("SELECT applied FROM multica_start($1, $2)")?;
    let complete = client.prepare(
        "SELECT applied FROM multica_complete($1, '{\"ok\": true}', 'session', '/srv', $2)",
    )?;
    let began = Instant::now();
    let mut times = Vec::new();
    let mut done = 0;
    while began.elapsed() < limit {
        let asked = Instant::now();
        let tasks = client.query(&claim, &[runtime, &batch])?;
        times.push(asked.elapsed());
        for task in &tasks {
            let (id, token): (Uuid, i64) = (task.get(0), task.get(1));
            client.query_one(&start, &[&id, &token])?;
            client.query_one(&complete, &[&id, &token])?;
            done += 1;
        }
    }
    Ok((done, times))
}

/// A claim that finds nothing against its own lookup as a prepared statement, both over the same history.
fn idle(context: &Context, database: &Database) -> Result<()> {
    let mut client = database.connect()?;
    client.batch_execute("DELETE FROM agent_task_queue WHERE status = 'queued'")?;
    client.batch_execute("VACUUM (ANALYZE)")?;
    client.batch_execute("UPDATE agent_runtime SET last_seen_at = now()")?;
    let runtime = runtimes(&mut client)?[0];
    let claim = client.prepare("SELECT * FROM multica_claim($1)")?;
    let choose = std::fs::read_to_string(context.project.root.join("sql/task/choose.sql"))
        .context("cannot read the lookup")?;
    let lookup = client.prepare(&choose)?;
    let now = std::time::SystemTime::now();
    let mut rate = |call: &mut dyn FnMut(&mut Client) -> Result<()>| -> Result<f64> {
        let began = Instant::now();
        for _ in 0..IDLE_CALLS {
            call(&mut client)?;
        }
        Ok(f64::from(IDLE_CALLS) / began.elapsed().as_secs_f64())
    };
    let claims = rate(&mut |client| Ok(client.query(&claim, &[&runtime]).map(drop)?))?;
    let lookups = rate(&mut |client| {
        let nobody: Option<Vec<Uuid>> = None;
        client.query(&lookup, &[&runtime, &now, &90f64, &15f64, &nobody, &1i64])?;
        Ok(())
    })?;
    println!(
        "           idle claim: {claims:.0} /s, {:.2} of its own lookup as a prepared statement",
        claims / lookups
    );
    Ok(())
}

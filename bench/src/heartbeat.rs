//! Compares heartbeats through the functions with the statement that they run: rate, share of heap-only updates, bytes
//! of WAL, and growth of the table.

use anyhow::{Context as _, Result};
use multica_harness::database::Database;
use multica_harness::speed::Results;
use multica_harness::speed::ways::heartbeat::{MANY, OURS, RETURNING};

use crate::bench::Bench;
use crate::progress::Progress;

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Numbers of runtimes that send heartbeats, at least 100
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 10_000, 100_000])]
    runtimes: Vec<i64>,
    /// Largest of these numbers for which the size of the table is measured after ten minutes' worth of heartbeats
    #[arg(long, default_value_t = 10_000)]
    watched: i64,
    /// Connections
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// Seconds of each repetition
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// Repetitions of each way
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--runtimes=1000", "--watched=1000", "--seconds=1"];

/// Runtimes per call of multica_heartbeat_many.
const BATCH: i64 = 100;
/// Heartbeats per runtime in ten minutes: one every 15 seconds.
const TEN_MINUTES: i64 = 40;

/// A way to send heartbeats, its script, and the number of heartbeats per transaction.
const WAYS: [(&str, &str, i64); 5] = [
    (OURS, "function", 1),
    (RETURNING, "returning", 1),
    ("the same in PL/pgSQL", "wrapped", 1),
    ("bare UPDATE", "bare", 1),
    (MANY, "many", BATCH),
];

/// Values of the server's statistics.
struct Counters {
    updates: i64,
    heap_only: i64,
    log: f64,
    size: i64,
}

/// Runs all ways in turn with pgbench.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    let about = format!(
        "heartbeats by pgbench, {} connections, prepared statements, {} s each; then 40 beats of every runtime",
        load.connections, load.seconds
    );
    let mut results = bench.results("heartbeat", &about, &["runtimes", "old snapshot"]);
    let progress = Progress::new("heartbeat", load.runtimes.len() * (load.repetitions + 2));
    for runtimes in &load.runtimes {
        let mut measured: Vec<(Vec<f64>, Vec<f64>, Vec<f64>)> = vec![Default::default(); WAYS.len()];
        let database = load_runtimes(bench, *runtimes)?;
        for repetition in 0..load.repetitions {
            progress.step(format!("{runtimes} runtimes, {} of {}", repetition + 1, load.repetitions));
            for ((_, script, beats), (rates, shares, bytes)) in WAYS.iter().zip(&mut measured) {
                bench.settle()?;
                let before = counters(bench, &database)?;
                let limit = format!("--time={}", load.seconds);
                let rate = beat(bench, &database, script, *runtimes, load.connections, &limit)?;
                let after = counters(bench, &database)?;
                let updates = (after.updates - before.updates) as f64;
                rates.push(rate * *beats as f64);
                shares.push(100.0 * (after.heap_only - before.heap_only) as f64 / updates);
                bytes.push((after.log - before.log) / updates);
            }
        }
        let at = [*runtimes, 0];
        let figures = WAYS.iter().zip(measured);
        for ((way, _, _), (rates, shares, bytes)) in figures {
            results.add(way, &at, "beats/s", rates);
            results.add(way, &at, "% heap-only", shares);
            results.add(way, &at, "bytes of log a beat", bytes);
        }
        results.compare(&at, "beats/s", OURS);
        for held in [false, true] {
            progress.step(format!("{runtimes} runtimes, ten minutes' worth of beats"));
            if *runtimes <= load.watched {
                watch(bench, load, *runtimes, held, &mut results)?;
            }
        }
    }
    Ok(results)
}

fn load_runtimes<'a>(bench: &'a Bench, runtimes: i64) -> Result<Database<'a>> {
    let database = bench.context.fresh_database_in(bench.cluster)?;
    let mut client = database.connect()?;
    client.execute(&bench.text("heartbeat/load.sql")?, &[&runtimes])?;
    client.batch_execute(&bench.text("heartbeat/wrapped.sql")?)?;
    for statement in bench.text("heartbeat/batches.sql")?.split(";\n") {
        client.batch_execute(statement)?;
    }
    Ok(database)
}

/// Measures the table before and after ten minutes' worth of heartbeats. With `held`, another session has a snapshot
/// that is older than all heartbeats, so that no dead row version can be removed.
fn watch(bench: &Bench, load: &Load, runtimes: i64, held: bool, results: &mut Results) -> Result<()> {
    let database = load_runtimes(bench, runtimes)?;
    let mut holder = database.connect()?;
    if held {
        holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM workspace")?;
    }
    let before = counters(bench, &database)?;
    let each = (runtimes * TEN_MINUTES / i64::from(load.connections)).max(1);
    let limit = format!("--transactions={each}");
    let rate = beat(bench, &database, "function", runtimes, load.connections, &limit)?;
    let after = counters(bench, &database)?;
    let updates = (after.updates - before.updates) as f64;
    let at = [runtimes, i64::from(held)];
    let megabytes = |size: i64| size as f64 / f64::from(1 << 20);
    let heap_only = (after.heap_only - before.heap_only) as f64;
    results.add("10 minutes of beats", &at, "beats/s, all of them", vec![rate]);
    results.add("10 minutes of beats", &at, "% heap-only, all of them", vec![100.0 * heap_only / updates]);
    results.add("table before", &at, "MB", vec![megabytes(before.size)]);
    results.add("table after", &at, "MB", vec![megabytes(after.size)]);
    results.compare(&at, "MB", "table before");
    Ok(())
}

fn counters(bench: &Bench, database: &Database) -> Result<Counters> {
    let row = database.connect()?.query_one(&bench.text("heartbeat/counters.sql")?, &[])?;
    Ok(Counters { updates: row.get(0), heap_only: row.get(1), log: row.get(2), size: row.get(3) })
}

fn beat(bench: &Bench, database: &Database, way: &str, runtimes: i64, connections: u32, limit: &str) -> Result<f64> {
    // The server's user may not be allowed to read the checkout.
    let script = bench.cluster.socket_folder().join(format!("{way}.pgbench"));
    std::fs::write(&script, bench.text(&format!("heartbeat/{way}.pgbench"))?)?;
    let output = bench.cluster.run(
        "pgbench",
        &[
            "--no-vacuum",
            "--protocol=prepared",
            &format!("--client={connections}"),
            "--jobs=2",
            &format!("--define=runtimes={runtimes}"),
            limit,
            &format!("--file={}", script.display()),
            &database.name,
        ],
    )?;
    output
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .context("pgbench printed no rate")
}

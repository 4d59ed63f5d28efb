//! Measures claims and heartbeats while the worker sweeps a large backlog, and compares them with the same calls while
//! there is nothing to sweep.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use multica_harness::cluster::Cluster;
use multica_harness::database::Database;
use multica_harness::speed::ways::fire::P99;
use multica_harness::speed::{Results, percentile};
use postgres::Client;
use uuid::Uuid;

use crate::bench::Bench;
use crate::progress::Progress;

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Tasks in flight on stale runtimes
    #[arg(long, default_value_t = 100_000)]
    orphans: i64,
    /// Connections that claim, start and complete; the same number of connections sends heartbeats
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Milliseconds between two rounds of a connection
    #[arg(long, default_value_t = 5)]
    pause: u64,
    /// Seconds of the measurement without a sweep
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Repetitions, each with its own backlog
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--orphans=20000", "--seconds=3", "--repetitions=1"];

/// Unit of the median of the calls.
const MEDIAN: &str = "ms, median";

/// Longest wait until the sweep begins, and until it ends.
const LIMIT: Duration = Duration::from_secs(120);

/// When a call ended, and how many milliseconds it took.
type Call = (Instant, f64);

/// What was measured, the number of orphans, the unit, and the value.
type Measured = (String, i64, &'static str, f64);

/// Runs every repetition, and compares the calls during a sweep with those without one.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    let about = format!(
        "calls of {} connections that claim, start and complete and {} that beat, a round every {} ms each, while the worker sweeps",
        load.connections, load.connections, load.pause
    );
    let mut results = bench.results("fire", &about, &["orphans"]);
    let progress = Progress::new("fire", 3 * load.repetitions);
    let repeated = (0..load.repetitions).map(|_| once(bench, load, &progress)).collect::<Result<Vec<_>>>()?;
    for (at, (what, orphans, unit, _)) in repeated.first().into_iter().flatten().enumerate() {
        let values = repeated.iter().map(|measured| measured[at].3).collect();
        results.add(what, &[*orphans], unit, values);
    }
    for name in ["claim", "heartbeat"] {
        for unit in [MEDIAN, P99] {
            let (busy, quiet) = (format!("{name}, beside the sweep"), format!("{name}, nothing to sweep"));
            results.relate(&busy, &quiet, unit);
        }
    }
    Ok(results)
}

/// Runs the calls first without a sweep, then during one.
fn once(bench: &Bench, load: &Load, progress: &Progress) -> Result<Vec<Measured>> {
    let mut measured = Vec::new();
    progress.step("loading");
    let database = prepare(bench, load)?;
    let stop = AtomicBool::new(false);
    let mut watcher = database.connect()?;
    let swept = watcher.prepare(&bench.text("fire/swept.sql")?)?;
    thread::scope(|scope| -> Result<()> {
        let runtimes: Vec<Uuid> = live(&mut database.connect()?)?;
        let spawn = |work: fn(&mut Client, Uuid, Duration, &AtomicBool) -> Result<Vec<Call>>| {
            runtimes[..load.connections]
                .iter()
                .map(|runtime| {
                    let runtime = *runtime;
                    let (mut client, stop) = (database.connect()?, &stop);
                    let pause = Duration::from_millis(load.pause);
                    Ok(scope.spawn(move || work(&mut client, runtime, pause, stop)))
                })
                .collect::<Result<Vec<_>>>()
        };
        let ends = Ends(&stop);
        let workers = [("claim", spawn(claims)?), ("heartbeat", spawn(beats)?)];
        progress.step("nothing to sweep");
        thread::sleep(Duration::from_secs(1));
        let quiet = Instant::now();
        thread::sleep(Duration::from_secs(load.seconds));
        let quiet = quiet..Instant::now();
        progress.step("beside the sweep");
        watcher.batch_execute(&format!("ALTER DATABASE {} SET multica.sweep = on", database.name))?;
        let mut state = |at: usize| -> Result<bool> { Ok(watcher.query_one(&swept, &[])?.get(at)) };
        Cluster::wait_until("the sweep begins", LIMIT, || state(0))?;
        let busy = Instant::now();
        Cluster::wait_until("the sweep comes to its end", LIMIT, || state(1))?;
        let busy = busy..Instant::now();
        drop(ends);
        for (name, threads) in workers {
            let mut calls = Vec::new();
            for thread in threads {
                calls.extend(thread.join().expect("a worker does not panic")?);
            }
            let mut summary = |what: &str, orphans: i64, span: &std::ops::Range<Instant>| -> Result<()> {
                let within = calls.iter().filter(|(end, _)| span.contains(end));
                let mut times: Vec<f64> = within.map(|(_, took)| *took).collect();
                ensure!(!times.is_empty(), "no {name} was made {what}");
                times.sort_by(f64::total_cmp);
                for (share, unit) in [(0.5, MEDIAN), (0.99, P99)] {
                    let value = percentile(&times, share);
                    measured.push((format!("{name}, {what}"), orphans, unit, value));
                }
                Ok(())
            };
            summary("nothing to sweep", 0, &quiet)?;
            summary("beside the sweep", load.orphans, &busy)?;
        }
        let seconds = (busy.end - busy.start).as_secs_f64();
        let rate = load.orphans as f64 / seconds;
        measured.push(("worker".to_string(), load.orphans, "orphans/s", rate));
        Ok(())
    })?;
    Ok(measured)
}

/// Makes the threads stop when dropped, also after an error.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn prepare<'a>(bench: &'a Bench, load: &Load) -> Result<Database<'a>> {
    let database = bench.context.fresh_database_in(bench.cluster)?;
    let mut client = database.connect()?;
    client.execute(&bench.text("verdict/load.sql")?, &[&load.orphans, &200_i64])?;
    client.batch_execute(&bench.text("multica/fleet.sql")?)?;
    client.batch_execute("VACUUM (ANALYZE)")?;
    client.batch_execute(&format!("ALTER DATABASE {} SET multica.stale_after = '10s'", database.name))?;
    bench.settle()?;
    Ok(database)
}

/// Returns the runtimes that have sent a heartbeat recently.
fn live(client: &mut Client) -> Result<Vec<Uuid>> {
    let query = "SELECT id FROM agent_runtime WHERE last_seen_at > now() - interval '5 minutes' ORDER BY id";
    Ok(client.query(query, &[])?.iter().map(|row| row.get(0)).collect())
}

fn claims(client: &mut Client, runtime: Uuid, pause: Duration, stop: &AtomicBool) -> Result<Vec<Call>> {
    let enqueue = client.prepare("SELECT task_id FROM multica_enqueue($1)")?;
    let claim = client.prepare("SELECT id, claim_token FROM multica_claim($1)")?;
    let start = client.prepare("SELECT applied FROM multica_start($1, $2)")?;
    let complete = client.prepare("SELECT applied FROM multica_complete($1, claim_token => $2)")?;
    let mut calls = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        client.query_one(&enqueue, &[&runtime])?;
        let began = Instant::now();
        let tasks = client.query(&claim, &[&runtime])?;
        calls.push((Instant::now(), began.elapsed().as_secs_f64() * 1000.0));
        for task in &tasks {
            let (id, token): (Uuid, i64) = (task.get(0), task.get(1));
            client.query_one(&start, &[&id, &token])?;
            client.query_one(&complete, &[&id, &token])?;
        }
        thread::sleep(pause);
    }
    Ok(calls)
}

fn beats(client: &mut Client, runtime: Uuid, pause: Duration, stop: &AtomicBool) -> Result<Vec<Call>> {
    let beat = client.prepare("SELECT status FROM multica_heartbeat($1)")?;
    let mut calls = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        client.query_one(&beat, &[&runtime])?;
        calls.push((Instant::now(), began.elapsed().as_secs_f64() * 1000.0));
        thread::sleep(pause);
    }
    Ok(calls)
}

//! Compares a sweep that fails orphaned tasks with all consequences with other ways that have the same result.

mod ways;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use multica_harness::database::Database;
use multica_harness::speed::Results;
use multica_harness::speed::ways::verdict::{DISTANT, FLOOR, OURS, SERVER};
use postgres::Client;

use crate::bench::Bench;
use crate::progress::Progress;
use crate::proxy::Proxy;

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Numbers of tasks in flight on stale runtimes
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 10_000, 100_000])]
    orphans: Vec<i64>,
    /// Numbers of stale runtimes
    #[arg(long, value_delimiter = ',', default_values_t = [200, 20_000])]
    runtimes: Vec<i64>,
    /// Largest number of orphans that are failed one statement after another from a distance
    #[arg(long, default_value_t = 10_000)]
    distant: i64,
    /// Repetitions; other ways than one call and set-based SQL are repeated only with at most 1000 orphans
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--orphans=1000,10000", "--runtimes=200", "--distant=1000", "--repetitions=3"];

/// The time of a round trip to a server in the same building.
const ROUND_TRIP: Duration = Duration::from_micros(500);

const BATCHES: &str = "multica_sweep_all(), batches of 1000";

/// The rows that a way leaves, in a form that can be compared.
#[derive(PartialEq, Eq, Hash)]
struct Outcome {
    rows: String,
    /// None for a way whose events are not compared.
    events: Option<String>,
}

/// Runs every way on copies of one database, in turn.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    let proxy = Proxy::start(bench.cluster, ROUND_TRIP)?;
    let about = "milliseconds to fail every orphan with all consequences; rows of all ways checked equal, and the events \
                 of those that record them (statement after statement records none)";
    let mut results = bench.results("verdict", about, &["orphans", "runtimes"]);
    let progress = Progress::new("verdict", load.orphans.len() * load.runtimes.len() * 5);
    for runtimes in &load.runtimes {
        for orphans in &load.orphans {
            let loaded = bench.context.fresh_database_in(bench.cluster)?;
            let mut client = loaded.connect()?;
            client.execute(&bench.text("verdict/load.sql")?, &[orphans, runtimes])?;
            client.batch_execute("VACUUM (ANALYZE)")?;
            drop(client);
            let at = [*orphans, *runtimes];
            let mut outcomes = HashSet::new();
            for way in [OURS, BATCHES, FLOOR, SERVER, DISTANT] {
                progress.step(format!("{orphans} orphans on {runtimes} runtimes, {way}"));
                if way == DISTANT && *orphans > load.distant {
                    continue;
                }
                let slow = way != OURS && way != FLOOR;
                let repetitions = if slow && *orphans > 1000 { 1 } else { load.repetitions };
                let mut times = Vec::new();
                for _ in 0..repetitions {
                    let database = Database::copy(bench.cluster, &loaded.name, &bench.context.fixtures())?;
                    let (time, outcome) = once(bench, &database, &proxy, way)?;
                    times.push(time);
                    outcomes.insert(outcome);
                }
                results.add(way, &at, "ms", times);
            }
            let rows: HashSet<_> = outcomes.iter().map(|outcome| &outcome.rows).collect();
            let events: HashSet<_> = outcomes.iter().filter_map(|outcome| outcome.events.as_ref()).collect();
            ensure!(rows.len() == 1, "the ways leave different rows behind");
            ensure!(events.len() == 1, "the ways record different events");
            results.compare(&at, "ms", OURS);
        }
    }
    Ok(results)
}

fn once(bench: &Bench, database: &Database, proxy: &Proxy, way: &'static str) -> Result<(f64, Outcome)> {
    bench.settle()?;
    let mut client = database.connect()?;
    let mut distant = proxy.connect(&database.name)?;
    let took = timed(|| match way {
        OURS => {
            client.batch_execute("SET multica.batch_size = 1000000")?;
            Ok(client.query_one("SELECT * FROM multica_sweep()", &[]).map(drop)?)
        }
        BATCHES => Ok(client.batch_execute("CALL multica_sweep_all()")?),
        FLOOR => ways::floor(bench, &mut client),
        SERVER => ways::server(bench, &mut client),
        _ => ways::server(bench, &mut distant),
    })?;
    let events = [OURS, FLOOR].contains(&way);
    let outcome = Outcome {
        rows: digest(bench, &mut client, "outcome")?,
        events: events.then(|| digest(bench, &mut client, "events")).transpose()?,
    };
    Ok((took, outcome))
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}

fn digest(bench: &Bench, client: &mut Client, of: &str) -> Result<String> {
    let query = bench.text(&format!("verdict/{of}.sql"))?;
    Ok(client.query_one(&query, &[])?.get(0))
}

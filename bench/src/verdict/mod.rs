//! Compares a sweep that fails orphaned tasks with all consequences with other ways that have the same result.

mod ways;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use multica_harness::database::Database;
use multica_harness::speed::Results;
use multica_harness::speed::ways::verdict::{DISTANT, FLOOR, OURS, SERVER};
use postgres::Client;

use crate::bench::Bench;
use crate::progress::Progress;
use crate::proxy::Proxy;

/// The tables in which verdicts are measured.
struct Tables {
    /// The name of the cell.
    cell: &'static str,
    /// Whether they are those of the newest server, and not those that install makes.
    of_server: bool,
    /// The folder of `sql/` with the rows, and with the digest of what a verdict leaves.
    folder: &'static str,
    /// The folder of `sql/` with the set-based SQL.
    floor: &'static str,
    ways: &'static [&'static str],
}

const OWN: Tables = Tables {
    cell: "verdict",
    of_server: false,
    folder: "verdict",
    floor: "floor",
    ways: &[OURS, BATCHES, FLOOR, SERVER, DISTANT],
};

const OF_SERVER: Tables = Tables {
    cell: "verdict-server",
    of_server: true,
    folder: "verdict_server",
    floor: "floor_server",
    ways: &[OURS, BATCHES, FLOOR],
};

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
struct Outcome {
    rows: String,
    /// None for a way whose events are not compared.
    events: Option<String>,
}

/// Measures in the tables that install makes.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    measure_in(&OWN, bench, load)
}

/// Measures in the tables of the newest server.
pub fn measure_server(bench: &Bench, load: &Load) -> Result<Results> {
    measure_in(&OF_SERVER, bench, load)
}

/// Runs every way on copies of one database, in turn.
fn measure_in(tables: &Tables, bench: &Bench, load: &Load) -> Result<Results> {
    let proxy = Proxy::start(bench.cluster, ROUND_TRIP)?;
    let about = "milliseconds to fail every orphan with all consequences; rows of all ways checked equal, and the events \
                 of those that record them (statement after statement records none)";
    let mut results = bench.results(tables.cell, about, &["orphans", "runtimes"]);
    let progress = Progress::new(tables.cell, load.orphans.len() * load.runtimes.len() * tables.ways.len());
    for runtimes in &load.runtimes {
        for orphans in &load.orphans {
            let loaded = match tables.of_server {
                true => bench.server_database()?,
                false => bench.context.fresh_database_in(bench.cluster)?,
            };
            let mut client = loaded.connect()?;
            client.execute(&bench.text(&format!("{}/load.sql", tables.folder))?, &[orphans, runtimes])?;
            client.batch_execute("VACUUM (ANALYZE)")?;
            drop(client);
            let at = [*orphans, *runtimes];
            let mut outcomes = Vec::new();
            for way in tables.ways.iter().copied() {
                progress.step(format!("{orphans} orphans on {runtimes} runtimes, {way}"));
                if way == DISTANT && *orphans > load.distant {
                    continue;
                }
                let slow = way != OURS && way != FLOOR;
                let repetitions = if slow && *orphans > 1000 { 1 } else { load.repetitions };
                let mut times = Vec::new();
                for _ in 0..repetitions {
                    let database = Database::copy(bench.cluster, &loaded.name, &bench.context.fixtures())?;
                    let (time, outcome) = once(tables, bench, &database, &proxy, way)?;
                    times.push(time);
                    outcomes.push((way, outcome));
                }
                results.add(way, &at, "ms", times);
            }
            let rows = outcomes.iter().map(|(way, outcome)| (*way, &outcome.rows));
            must_be_equal("rows", rows)?;
            let events = outcomes.iter().filter_map(|(way, outcome)| Some((*way, outcome.events.as_ref()?)));
            must_be_equal("events", events)?;
            results.compare(&at, "ms", OURS);
        }
    }
    Ok(results)
}

fn once(
    tables: &Tables,
    bench: &Bench,
    database: &Database,
    proxy: &Proxy,
    way: &'static str,
) -> Result<(f64, Outcome)> {
    bench.settle()?;
    let mut client = database.connect()?;
    let mut distant = proxy.connect(&database.name)?;
    let took = timed(|| match way {
        OURS => {
            client.batch_execute("SET multica.batch_size = 1000000")?;
            Ok(client.query_one("SELECT * FROM multica_sweep()", &[]).map(drop)?)
        }
        BATCHES => Ok(client.batch_execute("CALL multica_sweep_all()")?),
        FLOOR => ways::floor(bench, tables.floor, &mut client),
        SERVER => ways::server(bench, &mut client),
        _ => ways::server(bench, &mut distant),
    })?;
    let events = [OURS, FLOOR].contains(&way);
    let outcome = Outcome {
        rows: digest(bench, &mut client, &format!("{}/outcome.sql", tables.folder))?,
        events: events.then(|| digest(bench, &mut client, "verdict/events.sql")).transpose()?,
    };
    Ok((took, outcome))
}

/// Fails unless all digests are equal, and lists them with the ways.
fn must_be_equal<'a>(what: &str, digests: impl Iterator<Item = (&'a str, &'a String)>) -> Result<()> {
    let all: BTreeSet<(&str, &String)> = digests.collect();
    let distinct: BTreeSet<&String> = all.iter().map(|(_, digest)| *digest).collect();
    ensure!(distinct.len() == 1, "the {what} that the ways leave differ: {all:?}");
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}

fn digest(bench: &Bench, client: &mut Client, file: &str) -> Result<String> {
    Ok(client.query_one(&bench.text(file)?, &[])?.get(0))
}

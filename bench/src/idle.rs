//! What a sweep costs that finds nothing to do, by number of runtimes and of finished tasks.

use std::time::Instant;

use anyhow::{Context as _, Result};
use multica_harness::speed::Results;
use multica_harness::speed::ways::idle::OURS;
use postgres::Client;

use crate::bench::Bench;
use crate::history::Tables;
use crate::progress::Progress;

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Numbers of online runtimes, in ascending order
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 100_000, 1_000_000])]
    runtimes: Vec<i64>,
    /// Numbers of finished tasks
    #[arg(long, value_delimiter = ',', default_values_t = [0, 100_000, 1_000_000, 5_000_000])]
    histories: Vec<i64>,
    /// Sweeps of each measurement
    #[arg(long, default_value_t = 9)]
    repetitions: usize,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--runtimes=1000,100000", "--histories=0,100000"];

/// Measures in the tables that install makes.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    measure_in(Tables::Own, "idle", bench, load)
}

/// Measures in the tables of the newest server.
pub fn measure_server(bench: &Bench, load: &Load) -> Result<Results> {
    measure_in(Tables::OfServer, "idle-server", bench, load)
}

/// Measures every number of runtimes with every number of finished tasks.
fn measure_in(tables: Tables, cell: &'static str, bench: &Bench, load: &Load) -> Result<Results> {
    let about = "a sweep that finds nothing to do: time, and pages of the buffer cache it looks at";
    let mut results = bench.results(cell, about, &["runtimes", "finished"]);
    let progress = Progress::new(cell, load.histories.len() * load.runtimes.len());
    for history in &load.histories {
        let database = bench.histories.copy_in(tables, *history)?;
        let mut client = database.connect()?;
        let mut there: i64 = client.query_one("SELECT count(*) FROM agent_runtime", &[])?.get(0);
        for runtimes in &load.runtimes {
            progress.step(format!("{runtimes} runtimes, {history} finished tasks"));
            client.execute(&bench.text("idle/runtimes.sql")?, &[&(there + 1), runtimes])?;
            there = *runtimes;
            for statement in bench.text("idle/ready.sql")?.split(";\n") {
                client.batch_execute(statement)?;
            }
            bench.settle()?;
            let at = [*runtimes, *history];
            let pages = pages(&mut client)?;
            let times = (0..load.repetitions)
                .map(|_| {
                    let began = Instant::now();
                    client.query_one("SELECT * FROM multica_sweep()", &[])?;
                    Ok(began.elapsed().as_secs_f64() * 1000.0)
                })
                .collect::<Result<_>>()?;
            results.add(OURS, &at, "ms", times);
            results.add(OURS, &at, "pages", vec![pages]);
        }
    }
    Ok(results)
}

fn pages(client: &mut Client) -> Result<f64> {
    let explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM multica_sweep()";
    client.query_one("SELECT * FROM multica_sweep()", &[])?;
    let plan: serde_json::Value = client.query_one(explain, &[])?.get(0);
    ["Shared Hit Blocks", "Shared Read Blocks"]
        .iter()
        .map(|name| plan[0]["Plan"][name].as_f64())
        .sum::<Option<f64>>()
        .context("the plan does not tell its buffers")
}

//! Compares a heartbeat that passes the incarnation of its process with one that does not. The difference is smaller
//! than the noise of a flush, so the time is that which the server's process has the processor, on a kernel that counts it.

use anyhow::{Result, ensure};
use multica_harness::speed::Results;
use multica_harness::speed::ways::incarnation::{OURS, WITHOUT};
use postgres::{Client, Statement};
use uuid::Uuid;

use crate::bench::Bench;
use crate::processor::Processor;
use crate::progress::Progress;

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Numbers of runtimes that send heartbeats
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 100_000])]
    runtimes: Vec<i64>,
    /// Calls of each repetition
    #[arg(long, default_value_t = 20_000)]
    calls: usize,
    /// Repetitions of each way
    #[arg(long, default_value_t = 9)]
    repetitions: usize,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--runtimes=1000", "--calls=5000", "--repetitions=5"];

/// Unit of the figures.
const UNIT: &str = "µs of a processor a call";

/// Calls of one way before the other way takes its turn. The speed of a machine with other work changes by the second.
const TURN: usize = 100;

/// Measures both in turn, in one session.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    let about = format!("{} heartbeats in one session, one after the other, each committed", load.calls);
    let mut results = bench.results("incarnation", &about, &["runtimes"]);
    let progress = Progress::new("incarnation", load.runtimes.len() * load.repetitions);
    for runtimes in &load.runtimes {
        let database = bench.context.fresh_database_in(bench.cluster)?;
        let mut client = database.connect()?;
        client.execute(&bench.text("heartbeat/load.sql")?, &[runtimes])?;
        client.batch_execute(&bench.text("incarnation/register.sql")?)?;
        client.batch_execute("VACUUM (ANALYZE)")?;
        let ids: Vec<Uuid> = client
            .query(&bench.text("incarnation/order.sql")?, &[])?
            .iter()
            .map(|row| row.get(0))
            .cycle()
            .take(load.calls)
            .collect();
        let mut beats = Beats::of(&mut client)?;
        beats.time(&ids[..ids.len() / 10], true)?;
        beats.time(&ids[..ids.len() / 10], false)?;
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for repetition in 0..load.repetitions {
            progress.step(format!("{runtimes} runtimes, {} of {}", repetition + 1, load.repetitions));
            bench.settle()?;
            let (mut took_with, mut took_without) = (0.0, 0.0);
            for (turn, some) in ids.chunks(TURN).enumerate() {
                // Each way is the first one in every second turn.
                let with_first = turn % 2 == 0;
                for passes in [with_first, !with_first] {
                    *(if passes { &mut took_with } else { &mut took_without }) += beats.time(some, passes)?;
                }
            }
            with.push(took_with / ids.len() as f64);
            without.push(took_without / ids.len() as f64);
        }
        results.add(WITHOUT, &[*runtimes], UNIT, without);
        results.add(OURS, &[*runtimes], UNIT, with);
        results.compare(&[*runtimes], UNIT, WITHOUT);
    }
    Ok(results)
}

/// A session that sends heartbeats.
struct Beats<'a> {
    client: &'a mut Client,
    processor: Processor,
    with: Statement,
    without: Statement,
}

impl<'a> Beats<'a> {
    fn of(client: &'a mut Client) -> Result<Self> {
        let processor = Processor::of(client)?;
        // The incarnation is that of incarnation/register.sql.
        let with =
            client.prepare("SELECT * FROM multica_heartbeat($1, NULL, '00000000-0000-4000-8000-000000000001')")?;
        let without = client.prepare("SELECT * FROM multica_heartbeat($1)")?;
        Ok(Self { client, processor, with, without })
    }

    /// Sends one heartbeat per id; returns for how many microseconds the server's process had a processor.
    fn time(&mut self, ids: &[Uuid], passes: bool) -> Result<f64> {
        let statement = if passes { &self.with } else { &self.without };
        let before = self.processor.microseconds()?;
        for id in ids {
            let rows = self.client.query(statement, &[id])?;
            ensure!(rows.len() == 1, "a heartbeat returned no row");
        }
        Ok(self.processor.microseconds()? - before)
    }
}

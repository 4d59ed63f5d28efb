//! Enqueue, claim, start, complete: how many tasks per second multica and other queues complete, one by one and in
//! batches, and how much slower they are with finished tasks in the table.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use multica_harness::database::Database;
use multica_harness::speed::ways::cycle::{BATCH, OURS, P99, is_own};
use multica_harness::speed::{Results, percentile};

use crate::bench::Bench;
use crate::history;
use crate::peers::{Packages, SIDES, Side};
use crate::progress::Progress;
use crate::queue::{Key, STEPS, Session, Texts, together};

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Numbers of finished tasks in the tables of multica and of the bare table
    #[arg(long, value_delimiter = ',', default_values_t = [0, 100_000, 1_000_000, 5_000_000])]
    histories: Vec<i64>,
    /// The one of these numbers that the other queues have
    #[arg(long, default_value_t = 1_000_000)]
    others: i64,
    /// Numbers of connections without finished tasks
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 16, 32])]
    connections: Vec<usize>,
    /// Numbers of connections with finished tasks
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 16])]
    before_history: Vec<usize>,
    /// Tasks per batch
    #[arg(long, default_value_t = BATCH as usize)]
    batch: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Repetitions of each measurement
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Measure only the sides whose names contain this text
    #[arg(long, default_value = "")]
    only: String,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &[
    "--histories=0,100000",
    "--others=0",
    "--connections=1,16",
    "--before-history=16",
    "--seconds=0.5",
    "--repetitions=1",
];

/// Tasks that are queued during the whole measurement, so that every claim returns a task.
const BACKLOG: i64 = 1600;

/// A side with its own database, which contains its objects, finished tasks and statements.
struct Prepared<'a> {
    side: &'a Side,
    database: Database<'a>,
    texts: Texts,
    workers: Vec<Key>,
}

impl Prepared<'_> {
    fn has(&self, step: &str) -> bool {
        self.texts.contains_key(step)
    }
}

/// Microseconds per task, by step.
type Steps = BTreeMap<&'static str, Vec<f64>>;

/// Measures every side at every combination of finished tasks, batch and connections, in turn.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    let packages = Packages::install(&bench.context.project)?;
    let about = format!(
        "tasks a second through enqueue, claim, start, complete; {} s each; every side by the same client, a round trip a step",
        load.seconds
    );
    let mut results = bench.results("cycle", &about, &["finished", "batch", "connections"]);
    let sides: Vec<&Side> = SIDES.iter().filter(|side| side.name.contains(&load.only)).collect();
    let steps: usize = load.histories.iter().map(|history| load.grid(*history).len() * load.repetitions + 1).sum();
    let progress = Progress::new("cycle", steps);
    for history in &load.histories {
        progress.step(format!("loading {history} finished tasks"));
        let mut prepared = Vec::new();
        for side in &sides {
            let given = is_own(side.name) || [0, load.others].contains(history);
            if given && let Some(one) = prepare(bench, &packages, side, *history, load.batch)? {
                prepared.push(one);
            }
        }
        for (batch, connections) in load.grid(*history) {
            let mut rates = vec![Vec::new(); prepared.len()];
            let mut steps = vec![Steps::new(); prepared.len()];
            let mut slowest = vec![Vec::new(); prepared.len()];
            for repetition in 0..load.repetitions {
                progress.step(format!(
                    "{history} finished, batch of {batch}, {connections} connections, {} of {}",
                    repetition + 1,
                    load.repetitions
                ));
                for (place, one) in prepared.iter().enumerate() {
                    if *history > 0 && !is_own(one.side.name) && connections != load.most_before_history() {
                        continue;
                    }
                    bench.settle()?;
                    let (rate, mut took) = drive(one, connections, batch, load.seconds)?;
                    rates[place].push(rate);
                    for (step, times) in &mut took {
                        times.sort_by(f64::total_cmp);
                        let medians = steps[place].entry(step).or_default();
                        medians.push(percentile(times, 0.5));
                        if *step == "claim" {
                            slowest[place].push(percentile(times, 0.99) * batch as f64 / 1000.0);
                        }
                    }
                }
            }
            let at = [*history, i64::try_from(batch)?, i64::try_from(connections)?];
            for ((one, rates), slowest) in prepared.iter().zip(rates).zip(slowest) {
                if rates.is_empty() {
                    continue;
                }
                results.add(one.side.name, &at, "tasks/s", rates);
                if one.has("claim_many") || batch == 1 {
                    results.add(one.side.name, &at, P99, slowest);
                }
            }
            results.compare(&at, "tasks/s", OURS);
            results.compare(&at, P99, OURS);
            for step in STEPS {
                for (one, steps) in prepared.iter().zip(&mut steps) {
                    if let Some(times) = steps.remove(step).filter(|_| one.has(step)) {
                        let unit = format!("µs a task, {step}");
                        results.add(one.side.name, &at, &unit, times);
                    }
                }
                results.compare(&at, &format!("µs a task, {step}"), OURS);
            }
        }
    }
    Ok(results)
}

impl Load {
    /// Returns the number of connections at which the other queues are measured with finished tasks.
    fn most_before_history(&self) -> usize {
        self.before_history.iter().copied().max().unwrap_or_default()
    }

    /// Returns the combinations of batch and connections to measure with this number of finished tasks.
    fn grid(&self, history: i64) -> Vec<(usize, usize)> {
        let connections = if history == 0 { self.connections.clone() } else { self.before_history.clone() };
        [1, self.batch].into_iter().flat_map(|batch| connections.iter().map(move |many| (batch, *many))).collect()
    }
}

/// Returns None if there must be finished tasks and the side has no statement to insert them.
fn prepare<'a>(
    bench: &'a Bench,
    packages: &Packages,
    side: &'a Side,
    history: i64,
    batch: usize,
) -> Result<Option<Prepared<'a>>> {
    let project = &bench.context.project;
    let database = if side.has_our_tables() {
        bench.histories.copy(history)?
    } else {
        bench.context.empty_database_in(bench.cluster)?
    };
    let mut texts = side.prepare(project, packages, &database, batch)?;
    let mut client = database.connect()?;
    let load = texts.remove("history");
    texts.remove("fleet");
    if history > 0 && !side.has_our_tables() {
        let Some(load) = load else { return Ok(None) };
        history::load(&mut client, &load, history).with_context(|| side.name)?;
    }
    let mut text = |name: &str| texts.remove(name).with_context(|| format!("{} has no {name}", side.name));
    client.execute(&text("backlog")?, &[&BACKLOG]).with_context(|| side.name)?;
    let workers = client.query(&text("workers")?, &[]).with_context(|| side.name)?;
    client.batch_execute("VACUUM (ANALYZE)")?;
    Ok(Some(Prepared { side, database, texts, workers: workers.iter().map(|row| row.get(0)).collect() }))
}

fn drive(side: &Prepared, connections: usize, batch: usize, seconds: f64) -> Result<(f64, Steps)> {
    ensure!(connections <= side.workers.len(), "more connections than workers");
    let limit = Duration::from_secs_f64(seconds);
    let mut sessions = side.workers[..connections]
        .iter()
        .map(|worker| Session::prepare(side.database.connect()?, worker.clone(), &side.texts))
        .collect::<Result<Vec<_>>>()
        .with_context(|| side.side.name)?;
    together(&mut sessions, |session| session.warm_up(batch)).with_context(|| side.side.name)?;
    let began = Instant::now();
    let all = together(&mut sessions, |session| session.work(batch, limit)).with_context(|| side.side.name)?;
    let elapsed = began.elapsed().as_secs_f64();
    let mut steps = Steps::new();
    for (step, times) in all.iter().flat_map(|done| &done.steps) {
        steps.entry(step).or_default().extend(times);
    }
    let tasks: usize = all.iter().map(|done| done.tasks).sum();
    Ok((tasks as f64 / elapsed, steps))
}

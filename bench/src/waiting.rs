//! Claims while many tasks wait for other runtimes, against claims while none does. And what limits of tasks in flight
//! cost a claim if none is set, against tables that cannot have limits.

use std::time::Instant;

use anyhow::{Result, ensure};
use multica_harness::speed::Results;
use multica_harness::speed::ways::waiting::{ALONE, OURS, P99, PROCESSOR, WITHOUT_LIMITS};
use postgres::{Client, Statement};
use uuid::Uuid;

use crate::bench::Bench;
use crate::history::load;
use crate::processor::Processor;
use crate::progress::Progress;

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// How many tasks of other runtimes are queued, and how many are deferred
    #[arg(long, default_value_t = 100_000)]
    tasks: i64,
    /// Claims of each repetition and way
    #[arg(long, default_value_t = 5000)]
    claims: usize,
    /// Repetitions
    #[arg(long, default_value_t = 7)]
    repetitions: usize,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--tasks=10000", "--claims=1000", "--repetitions=3"];

/// Claims of one way before the next way takes its turn. The speed of a machine with other work changes by the second.
const TURN: usize = 50;

/// Measures all ways in turn, each in a database and a session of its own.
pub fn measure(bench: &Bench, size: &Load) -> Result<Results> {
    let about = format!("{} claims of one task each, one after the other, each committed", size.claims);
    let mut results = bench.results("waiting", &about, &["waiting"]);
    let progress = Progress::new("waiting", size.repetitions);
    let databases = [bench.histories.copy(0)?, bench.histories.copy(0)?, bench.histories.copy(0)?];
    let [mut crowded, mut alone, mut without_limits] = {
        let [first, second, third] = &databases;
        [first.connect()?, second.connect()?, third.connect()?]
    };
    load(&mut crowded, &bench.text("waiting/others.sql")?, size.tasks)?;
    crowded.batch_execute("VACUUM (ANALYZE)")?;
    without_limits.batch_execute("DROP TABLE multica_claim_limit")?;
    let agent = bench.text("waiting/agent.sql")?;
    let mut ways =
        [Claims::of(&mut crowded, &agent)?, Claims::of(&mut alone, &agent)?, Claims::of(&mut without_limits, &agent)?];
    for way in &mut ways {
        way.claim(size.claims / 10)?;
    }
    let mut slowest = [const { Vec::new() }; 3];
    let mut busy = [const { Vec::new() }; 3];
    for repetition in 0..size.repetitions {
        progress.step(format!("{} of {}", repetition + 1, size.repetitions));
        bench.settle()?;
        ways.iter_mut().for_each(Claims::forget);
        for turn in 0..size.claims / TURN {
            // Each way is the first one in every third turn.
            for at in 0..ways.len() {
                let way = (turn + at) % ways.len();
                ways[way].claim(TURN)?;
            }
        }
        for (at, way) in ways.iter_mut().enumerate() {
            slowest[at].push(way.percentile());
            busy[at].push(way.busy / way.took.len() as f64);
        }
    }
    let [crowded, alone, _] = slowest;
    let place = [size.tasks * 2];
    results.add(ALONE, &place, P99, alone);
    results.add(OURS, &place, P99, crowded);
    results.compare(&place, P99, ALONE);
    let [_, with_table, without_table] = busy;
    results.add(WITHOUT_LIMITS, &[0], PROCESSOR, without_table);
    results.add(OURS, &[0], PROCESSOR, with_table);
    results.compare(&[0], PROCESSOR, WITHOUT_LIMITS);
    Ok(results)
}

/// A session that queues, claims, starts and completes tasks of one agent.
struct Claims<'a> {
    client: &'a mut Client,
    processor: Processor,
    agent: Uuid,
    runtime: Uuid,
    enqueue: Statement,
    claim: Statement,
    start: Statement,
    complete: Statement,
    /// Milliseconds that each claim took.
    took: Vec<f64>,
    /// Microseconds for which the claims had a processor.
    busy: f64,
}

impl<'a> Claims<'a> {
    fn of(client: &'a mut Client, agent: &str) -> Result<Self> {
        let row = client.query_one(agent, &[])?;
        Ok(Self {
            processor: Processor::of(client)?,
            agent: row.get(0),
            runtime: row.get(1),
            enqueue: client.prepare("SELECT FROM multica_enqueue($1)")?,
            claim: client.prepare("SELECT id FROM multica_claim($1)")?,
            start: client.prepare("SELECT FROM multica_start($1)")?,
            complete: client.prepare("SELECT FROM multica_complete($1)")?,
            took: Vec::new(),
            busy: 0.0,
            client,
        })
    }

    fn claim(&mut self, times: usize) -> Result<()> {
        for _ in 0..times {
            self.client.execute(&self.enqueue, &[&self.agent])?;
            let before = self.processor.microseconds()?;
            let began = Instant::now();
            let claimed = self.client.query(&self.claim, &[&self.runtime])?;
            self.took.push(began.elapsed().as_secs_f64() * 1000.0);
            self.busy += self.processor.microseconds()? - before;
            ensure!(claimed.len() == 1, "a claim returned {} tasks", claimed.len());
            let task: Uuid = claimed[0].get(0);
            self.client.execute(&self.start, &[&task])?;
            self.client.execute(&self.complete, &[&task])?;
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.took.clear();
        self.busy = 0.0;
    }

    /// Returns the 99th percentile of the times.
    fn percentile(&mut self) -> f64 {
        self.took.sort_unstable_by(f64::total_cmp);
        self.took[self.took.len() * 99 / 100]
    }
}

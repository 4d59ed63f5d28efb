//! What events cost: tasks per second with and without NOTIFY, with and without listeners, and how many events per
//! second a reader reads.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use multica_harness::database::Database;
use multica_harness::speed::Results;
use postgres::Client;

use crate::bench::Bench;
use crate::progress::Progress;
use crate::queue::{Key, Session, Texts, together};

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Connections that enqueue, claim, start and complete tasks
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Repetitions of each measurement
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Number of events that are read
    #[arg(long, default_value_t = 1_000_000)]
    events: i64,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--seconds=1", "--repetitions=1", "--events=100000"];

const OFF: &str = "notify off";
const ON: &str = "notify on";
const HEARD: &str = "notify on, 8 listeners";
const LISTENERS: usize = 8;
/// Events per call.
const CALLS: [i32; 2] = [1000, 10_000];

/// Measures the writers, then the readers.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    let about = format!(
        "tasks a second through their life, five events each, {} s each; then {} events read in order",
        load.seconds, load.events
    );
    let mut results = bench.results("events", &about, &["connections", "events a call"]);
    let progress = Progress::new("events", 3 * load.repetitions + 3);
    let database = bench.histories.copy(0)?;
    let texts = texts(bench)?;
    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..load.repetitions {
        for (way, rates) in [OFF, ON, HEARD].iter().zip(&mut rates) {
            progress.step(way);
            rates.push(write(bench, load, &database, &texts, way)?);
        }
    }
    let at = [i64::try_from(load.connections)?, 0];
    for (way, rates) in [OFF, ON, HEARD].iter().zip(rates) {
        results.add(way, &at, "tasks/s", rates);
    }
    results.compare(&at, "tasks/s", OFF);

    progress.step("loading events");
    let mut client = database.connect()?;
    client.batch_execute("TRUNCATE multica_event_log")?;
    client.execute(&bench.text("events/load.sql")?, &[&load.events])?;
    client.batch_execute("VACUUM (ANALYZE) multica_event_log")?;
    for most in CALLS {
        progress.step(format!("reading {most} a call"));
        let at = [1, i64::from(most)];
        for (way, file) in
            [("multica_events()", "read"), ("multica_take_events()", "take"), ("SELECT … WHERE id > $1", "plain")]
        {
            let text = bench.text(&format!("events/{file}.sql"))?;
            let rates =
                (0..load.repetitions).map(|_| read(&mut client, &text, most, load.events)).collect::<Result<_>>()?;
            results.add(way, &at, "events/s", rates);
        }
        results.compare(&at, "events/s", "SELECT … WHERE id > $1");
    }
    Ok(results)
}

fn texts(bench: &Bench) -> Result<Texts> {
    ["enqueue", "claim", "start", "complete"]
        .iter()
        .map(|name| Ok((name.to_string(), bench.text(&format!("multica/{name}.sql"))?)))
        .collect()
}

fn write(bench: &Bench, load: &Load, database: &Database, texts: &Texts, way: &str) -> Result<f64> {
    let notify = if way == OFF { "off" } else { "on" };
    let mut client = database.connect()?;
    client.batch_execute(&format!("ALTER DATABASE {} SET multica.notify = {notify}", database.name))?;
    let heard = if way == HEARD { LISTENERS } else { 0 };
    let listeners = (0..heard)
        .map(|_| {
            let mut client = database.connect()?;
            client.batch_execute("LISTEN multica_events")?;
            Ok(client)
        })
        .collect::<Result<Vec<_>>>()?;
    let workers = client.query(&bench.text("multica/workers.sql")?, &[])?;
    let mut sessions = workers[..load.connections]
        .iter()
        .map(|worker| Session::prepare(database.connect()?, worker.get::<_, Key>(0), texts))
        .collect::<Result<Vec<_>>>()?;
    bench.settle()?;
    let limit = Duration::from_secs_f64(load.seconds);
    together(&mut sessions, |session| session.warm_up(1))?;
    let began = Instant::now();
    let all = together(&mut sessions, |session| session.work(1, limit))?;
    let elapsed = began.elapsed().as_secs_f64();
    drop(listeners);
    let tasks: usize = all.iter().map(|done| done.tasks).sum();
    Ok(tasks as f64 / elapsed)
}

/// Reads all events in order, and returns how many per second.
fn read(client: &mut Client, text: &str, most: i32, events: i64) -> Result<f64> {
    client.query("SELECT multica_forget_reader('bench')", &[])?;
    let statement = client.prepare_typed(text, &[postgres::types::Type::INT8, postgres::types::Type::INT4])?;
    let (mut last, mut count) = (0_i64, 0);
    let began = Instant::now();
    loop {
        let rows = client.query(&statement, &[&last, &most])?;
        let Some(row) = rows.last() else { break };
        last = row.get(0);
        count += i64::try_from(rows.len())?;
    }
    ensure!(count == events, "{count} of {events} events were read");
    Ok(events as f64 / began.elapsed().as_secs_f64())
}

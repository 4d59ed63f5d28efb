//! Compares a claim that finds no task, which every daemon makes every few seconds, with its own lookup as a prepared
//! statement.

use std::time::{Instant, SystemTime};

use anyhow::Result;
use multica_harness::speed::Results;
use multica_harness::speed::ways::idle_claim::{LOOKUP, OURS};
use postgres::Client;
use postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::bench::Bench;
use crate::files::read;
use crate::progress::Progress;

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Numbers of finished tasks
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1_000_000])]
    histories: Vec<i64>,
    /// Calls of each repetition
    #[arg(long, default_value_t = 10_000)]
    calls: u32,
    /// Repetitions of each way
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--histories=0", "--calls=1000", "--repetitions=2"];

/// Types of the lookup's parameters.
const PARAMETERS: [Type; 9] = [
    Type::UUID_ARRAY,
    Type::TIMESTAMPTZ,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::UUID_ARRAY,
    Type::INT8,
    Type::FLOAT8,
    Type::INT8_ARRAY,
    Type::UUID_ARRAY,
];

/// Measures both in turn on one connection, and checks how many transaction ids and bytes of WAL a claim writes.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    let about = "claims a second that find nothing, one connection; ids and log are the whole server's, so that a trace of its own work may be among them";
    let mut results = bench.results("idle-claim", about, &["finished"]);
    let progress = Progress::new("idle-claim", load.histories.len() * load.repetitions);
    let lookup = read(&bench.context.project.root.join("sql/task/claim/candidates.sql"))?;
    for history in &load.histories {
        let database = bench.histories.copy(*history)?;
        let mut client = database.connect()?;
        client.batch_execute(&bench.text("idle_claim/ready.sql")?)?;
        let runtime: Uuid = client.query_one("SELECT id FROM agent_runtime LIMIT 1", &[])?.get(0);
        let claim = client.prepare("SELECT * FROM multica_claim($1)")?;
        // The lookup is planned without sequential scans and sorts, as in the function. The estimated cost of such a
        // plan is so high that Postgres would compile it at every call, so jit is off.
        client.batch_execute("SET enable_seqscan = off; SET enable_sort = off; SET jit = off")?;
        let lookup = client.prepare_typed(&lookup, &PARAMETERS)?;
        let (now, nobody, no_room) = (SystemTime::now(), None::<Vec<Uuid>>, None::<Vec<i64>>);
        let mut claims = Vec::new();
        let mut lookups = Vec::new();
        let (mut ids, mut bytes) = (Vec::new(), Vec::new());
        for repetition in 0..load.repetitions {
            progress.step(format!("{history} finished tasks, {} of {}", repetition + 1, load.repetitions));
            bench.settle()?;
            let before = trace(bench, &mut client)?;
            claims.push(rate(load.calls, || Ok(client.query(&claim, &[&runtime]).map(drop)?))?);
            let after = trace(bench, &mut client)?;
            let calls = f64::from(load.calls);
            ids.push((after.0 - before.0) / calls);
            bytes.push((after.1 - before.1) / calls);
            lookups.push(rate(load.calls, || {
                let arguments: [&(dyn ToSql + Sync); 9] =
                    [&vec![runtime], &now, &15f64, &15f64, &nobody, &1i64, &45f64, &no_room, &nobody];
                Ok(client.query(&lookup, &arguments).map(drop)?)
            })?);
        }
        results.add(OURS, &[*history], "calls/s", claims);
        results.add(OURS, &[*history], "transaction ids a call", ids);
        results.add(OURS, &[*history], "bytes of log a call", bytes);
        results.add(LOOKUP, &[*history], "calls/s", lookups);
        results.compare(&[*history], "calls/s", OURS);
    }
    Ok(results)
}

/// Returns the next transaction id and the end of the WAL.
fn trace(bench: &Bench, client: &mut Client) -> Result<(f64, f64)> {
    let row = client.query_one(&bench.text("idle_claim/trace.sql")?, &[])?;
    Ok((row.get(0), row.get(1)))
}

fn rate(calls: u32, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..calls {
        call()?;
    }
    Ok(f64::from(calls) / began.elapsed().as_secs_f64())
}

//! Compares calls on a server with the default settings of Postgres with the same calls in a session with `jit = off`.
//! A plan that Postgres compiles takes a thousand times longer than a plan that is not compiled.

use std::time::Instant;

use anyhow::Result;
use multica_harness::speed::Results;
use postgres::{Client, Statement};
use uuid::Uuid;

use crate::bench::Bench;
use crate::progress::Progress;

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Number of finished tasks
    #[arg(long, default_value_t = 100_000)]
    history: i64,
    /// Calls of each repetition
    #[arg(long, default_value_t = 200)]
    calls: u32,
    /// Repetitions of each way
    #[arg(long, default_value_t = 9)]
    repetitions: usize,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--history=1000", "--calls=50", "--repetitions=3"];

/// The calls, each with one id of the fleet as its argument. An agent of the fleet has the id of its runtime.
const CALLS: [(&str, &str); 5] = [
    ("claim", "SELECT * FROM multica_claim($1)"),
    ("heartbeat", "SELECT * FROM multica_heartbeat($1)"),
    ("enqueue", "SELECT * FROM multica_enqueue($1, '{\"prompt\": \"hello\"}')"),
    ("sweep", "SELECT * FROM multica_sweep() WHERE $1::uuid IS NOT NULL"),
    ("status", "SELECT * FROM multica_status() WHERE $1::uuid IS NOT NULL"),
];

/// Unit of the figures.
const UNIT: &str = "µs per call";

/// Measures both sessions in turn, call by call.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    let about = "the same calls of two sessions, one as the server starts it, one with jit = off";
    let mut results = bench.results("jit", about, &["finished"]);
    let progress = Progress::new("jit", load.repetitions);
    let database = bench.histories.copy(load.history)?;
    let mut sessions = [database.connect()?, database.connect()?];
    sessions[1].batch_execute("SET jit = off")?;
    let ids = sessions[0].query("SELECT id FROM agent_runtime ORDER BY id LIMIT 2", &[])?;
    // Tasks are enqueued for one agent and claimed for another, so that claims find none.
    let id_of = |call: &str| -> Uuid { ids[usize::from(call == "enqueue")].get(0) };
    let mut prepared = Vec::new();
    for client in &mut sessions {
        let statements: Vec<Statement> =
            CALLS.iter().map(|(_, sql)| Ok(client.prepare(sql)?)).collect::<Result<_>>()?;
        // The first execution plans the statement, so that planning is not measured.
        for (statement, (call, _)) in statements.iter().zip(CALLS) {
            client.query(statement, &[&id_of(call)])?;
        }
        prepared.push(statements);
    }
    let mut times = vec![[const { Vec::new() }; 2]; CALLS.len()];
    for repetition in 0..load.repetitions {
        progress.step(format!("{} of {}", repetition + 1, load.repetitions));
        for (call, times) in times.iter_mut().enumerate() {
            for (session, client) in sessions.iter_mut().enumerate() {
                let statement = &prepared[session][call];
                let id = id_of(CALLS[call].0);
                times[session].push(microseconds(client, statement, id, load.calls)?);
            }
        }
    }
    for ((call, _), [stock, off]) in CALLS.iter().zip(times) {
        let without = format!("{call}, jit = off");
        results.add(call, &[load.history], UNIT, stock);
        results.add(&without, &[load.history], UNIT, off);
        results.relate(call, &without, UNIT);
    }
    Ok(results)
}

fn microseconds(client: &mut Client, statement: &Statement, id: Uuid, calls: u32) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..calls {
        client.query(statement, &[&id])?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}

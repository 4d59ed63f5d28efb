//! How much time each statement of a verdict and of a claim cycle takes, as auto_explain reports it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use anyhow::{Context as _, Result};
use multica_harness::database::Database;
use multica_harness::query::is_statement_of;
use multica_harness::speed::Results;
use postgres::{Client, NoTls};
use uuid::Uuid;

use crate::bench::Bench;
use crate::files::read;
use crate::progress::Progress;

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Number of orphans that the verdict fails
    #[arg(long, default_value_t = 10_000)]
    orphans: i64,
    /// Number of tasks of the claim cycle, one by one
    #[arg(long, default_value_t = 500)]
    tasks: i64,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--orphans=1000", "--tasks=50"];

const UNIT: &str = "µs a task";
const WHOLE: &str = "all calls";
/// Statements that take a smaller share of the whole are left out.
const LEAST_SHARE: f64 = 0.01;

/// Tasks after which every statement has a cached plan.
const WARM_UP: i64 = 6;

/// Microseconds by statement.
type Times = BTreeMap<String, f64>;

/// Measures both, each in a session that reports its plans.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    let about = "where the time goes, by statement, rows counted but no node timed; all calls of the cycle as a client sees them, unexplained; a foreign key's check is also within \
                 the time of the statement that it belongs to";
    let mut results = bench.results("profile", about, &["orphans", "tasks one by one"]);
    let progress = Progress::new("profile", 2);
    let names = names(&bench.context.project.root.join("sql"))?;
    progress.step("verdict");
    let database = bench.context.fresh_database_in(bench.cluster)?;
    let mut client = database.connect()?;
    client.execute(&bench.text("verdict/load.sql")?, &[&load.orphans, &200_i64])?;
    client.batch_execute("VACUUM (ANALYZE)")?;
    let (mut client, told) = explained(bench, &database)?;
    client.batch_execute("SET multica.batch_size = 1000000")?;
    client.query("SELECT * FROM multica_sweep()", &[])?;
    tell(&mut results, &[load.orphans, 0], &sum(&told, &names)?);

    progress.step("cycle");
    let database = bench.histories.copy(0)?;
    let mut plain = database.connect()?;
    cycle(bench, &mut plain, WARM_UP)?;
    let began = Instant::now();
    cycle(bench, &mut plain, load.tasks)?;
    let whole = began.elapsed().as_secs_f64() * 1e6;
    let (mut client, told) = explained(bench, &database)?;
    cycle(bench, &mut client, WARM_UP)?;
    drop(sum(&told, &names)?);
    cycle(bench, &mut client, load.tasks)?;
    let mut times = sum(&told, &names)?;
    // For the whole cycle the time without auto_explain is used: to explain twenty small statements takes longer than
    // to run them.
    times.insert(WHOLE.to_string(), whole);
    tell(&mut results, &[0, load.tasks], &times);
    Ok(results)
}

/// Returns the files of the statements in `sql/`, by their names.
fn names(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let part = entry?.path();
        if !part.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&part)? {
            let file = entry?.path();
            if file.extension().is_some_and(|kind| kind == "sql") {
                let name = file.strip_prefix(folder)?.display().to_string();
                names.insert(name, read(&file)?);
            }
        }
    }
    Ok(names)
}

/// Opens a session that sends the plan of each statement, nested ones included, as a notice.
fn explained(bench: &Bench, database: &Database) -> Result<(Client, Receiver<String>)> {
    let (sender, told) = mpsc::channel();
    let mut config = bench.cluster.config(&database.name);
    config.notice_callback(move |notice| {
        let _ = sender.send(notice.message().to_string());
    });
    let mut client = config.connect(NoTls)?;
    client.batch_execute(&bench.text("profile/explain.sql")?)?;
    Ok((client, told))
}

fn cycle(bench: &Bench, client: &mut Client, tasks: i64) -> Result<()> {
    let runtime: Uuid = client.query_one("SELECT id FROM agent_runtime LIMIT 1", &[])?.get(0);
    let enqueue = client.prepare("SELECT task_id FROM multica_enqueue($1)")?;
    let claim = client.prepare("SELECT id, claim_token FROM multica_claim($1)")?;
    let start = client.prepare(&bench.text("profile/start.sql")?)?;
    let complete = client.prepare(&bench.text("profile/complete.sql")?)?;
    for _ in 0..tasks {
        client.query_one(&enqueue, &[&runtime])?;
        let task = client.query_one(&claim, &[&runtime])?;
        let (id, token): (Uuid, i64) = (task.get(0), task.get(1));
        client.query_one(&start, &[&id, &token])?;
        client.query_one(&complete, &[&id, &token])?;
    }
    Ok(())
}

/// Adds up the times in the notices received so far.
fn sum(told: &Receiver<String>, names: &BTreeMap<String, String>) -> Result<Times> {
    let mut times = Times::new();
    for message in told.try_iter() {
        let Some((duration, plan)) =
            message.strip_prefix("duration: ").and_then(|rest| rest.split_once(" ms  plan:\n"))
        else {
            continue;
        };
        let plan: serde_json::Value = serde_json::from_str(plan)?;
        let text = plan["Query Text"].as_str().context("a plan does not tell its query")?;
        let name = if let Some((name, _)) = names.iter().find(|(_, file)| is_statement_of(file, text.trim())) {
            name.clone()
        } else if text.contains("multica_") && !text.contains("multica_event_log") {
            WHOLE.to_string()
        } else if text.starts_with("SELECT 1 FROM ONLY") {
            "checks of foreign keys".to_string()
        } else {
            "others".to_string()
        };
        *times.entry(name).or_default() += duration.parse::<f64>()? * 1000.0;
    }
    Ok(times)
}

/// Adds the results in descending order of time.
fn tell(results: &mut Results, at: &[i64], times: &Times) {
    let tasks = at.iter().sum::<i64>() as f64;
    let whole = times.get(WHOLE).copied().unwrap_or_default();
    let mut sorted: Vec<(&String, &f64)> = times.iter().collect();
    sorted.sort_by(|one, next| next.1.total_cmp(one.1));
    for (name, time) in sorted {
        if *time >= whole * LEAST_SHARE {
            results.add(name, at, UNIT, vec![time / tasks]);
        }
    }
    results.compare(at, UNIT, WHOLE);
}

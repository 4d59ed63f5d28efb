//! Two machines with one daemon id, as after the copy of a laptop's image.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use crate::context::Context;
use crate::database::Database;
use crate::suites::support::{id, number, team, value};

/// How long the machines alternate, unless the environment names another number of seconds.
const SECONDS: u64 = 8;

/// What a machine did.
#[derive(Default)]
struct Seen {
    /// How often its process was told to stop.
    stops: usize,
    /// Which tasks its processes have started, and how often.
    started: HashMap<String, usize>,
}

/// Whenever one of the machines starts its process again, the other one's process is told to stop. Until then it may
/// call at any moment. At each moment only one of them gets tasks, and no task is run twice.
pub fn one_of_two_alternating_processes_works(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(
        "UPDATE agent SET max_concurrent_tasks = 50;
         INSERT INTO agent_task_queue (agent_id, runtime_id, context)
         SELECT a.id, a.runtime_id, '{}' FROM agent AS a, generate_series(1, 5000) WHERE a.name IN ('Ada', 'Bo')",
    )?;
    let end = Instant::now() + Duration::from_secs(number("MULTICA_ALTERNATE_SECONDS", SECONDS)?);
    let machines = std::thread::scope(|scope| -> Result<Vec<Seen>> {
        let database = &database;
        let pauses = [70, 110].map(Duration::from_millis);
        let machines = pauses.map(|pause| scope.spawn(move || machine(database, end, pause)));
        machines.into_iter().map(|it| it.join().expect("a machine does not panic")).collect()
    })?;
    let mut started: HashMap<String, usize> = HashMap::new();
    for seen in &machines {
        ensure!(seen.stops >= 3, "a machine was told to stop {} times only", seen.stops);
        ensure!(seen.started.len() >= 10, "a machine ran {} tasks only", seen.started.len());
        for (task, times) in &seen.started {
            *started.entry(task.clone()).or_default() += times;
        }
    }
    let twice: Vec<&String> = started.iter().filter(|(_, times)| **times > 1).map(|(task, _)| task).collect();
    ensure!(twice.is_empty(), "tasks were run twice: {twice:?}");
    let left = "SELECT count(*) FROM agent_task_queue WHERE status = 'failed' AND failure_reason <> 'runtime_recovery'";
    ensure!(value(&mut client, left)? == "0", "a task failed for another reason than a restart");
    Ok(())
}

/// A machine starts a process again and again: each works until it is told to stop, and the next one starts after a
/// pause.
fn machine(database: &Database, end: Instant, pause: Duration) -> Result<Seen> {
    let mut client = database.connect()?;
    let mut seen = Seen::default();
    while Instant::now() < end {
        process(&mut client, end, &mut seen)?;
        std::thread::sleep(pause);
    }
    Ok(seen)
}

/// Works until another process has registered, or until the end.
fn process(client: &mut Client, end: Instant, seen: &mut Seen) -> Result<()> {
    let incarnation = value(client, "SELECT gen_random_uuid()")?;
    client.batch_execute(&format!(
        "SELECT FROM multica_register({}, '{{\"daemon_id\": \"machine-1\", \"runtimes\": [{{\"type\": \"claude\"}}],
             \"recover\": true, \"incarnation\": \"{incarnation}\"}}')",
        id("a1")
    ))?;
    while Instant::now() < end {
        match work(client, &incarnation, seen) {
            Ok(()) => {}
            Err(error) if is(&error, "superseded") => {
                client.batch_execute("ROLLBACK")?;
                seen.stops += 1;
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends a heartbeat, claims tasks and runs them. Until the claim is committed, no other process can have registered.
fn work(client: &mut Client, incarnation: &str, seen: &mut Seen) -> Result<()> {
    let runtime = id("b1");
    client
        .batch_execute(&format!("SELECT FROM multica_heartbeat({runtime}, incarnation => '{incarnation}'); BEGIN"))?;
    let claim = format!("SELECT id::text, claim_token FROM multica_claim({runtime}, 3, '{incarnation}')");
    let claimed: Vec<(String, i64)> = client.query(&claim, &[])?.iter().map(|row| (row.get(0), row.get(1))).collect();
    if !claimed.is_empty() {
        let registered = value(
            client,
            &format!("SELECT incarnation FROM multica_runtime_incarnation WHERE runtime_id = {runtime}"),
        )?;
        ensure!(registered == incarnation, "a process that was replaced by {registered} got {claimed:?}");
    }
    client.batch_execute("COMMIT")?;
    for (task, token) in claimed {
        // The other process may have failed the task meanwhile.
        let started = client.batch_execute(&format!("SELECT FROM multica_start('{task}', {token})"));
        match started.map_err(anyhow::Error::from) {
            Ok(()) => *seen.started.entry(task.clone()).or_default() += 1,
            Err(error) if is(&error, "final") || is(&error, "wrong_state") => continue,
            Err(error) => return Err(error).context(task),
        }
        let completed =
            client.batch_execute(&format!("SELECT FROM multica_complete('{task}', claim_token => {token})"));
        match completed.map_err(anyhow::Error::from) {
            Err(error) if !is(&error, "final") && !is(&error, "wrong_state") => return Err(error).context(task),
            _ => {}
        }
    }
    Ok(())
}

/// Whether an error of the database carries this word.
fn is(error: &anyhow::Error, word: &str) -> bool {
    let error = error.downcast_ref::<postgres::Error>().and_then(postgres::Error::as_db_error);
    error.is_some_and(|error| error.constraint() == Some(word))
}

//! Everybody at once: daemons that die, users who change their minds, sweepers, readers of events. Afterwards every
//! invariant of the lifecycle holds, each checked by a query of its own in `invariants/`.

mod daemon;
mod reader;
mod user;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use postgres::{Client, Config, NoTls};

use super::Suite;
use super::support::values;
use crate::cluster::Options;
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = &[
    (
        "storm/every_invariant_notices_when_it_is_broken",
        every_invariant_notices_when_it_is_broken,
    ),
    (
        "storm/invariants_hold_after_everybody_at_once",
        invariants_hold_after_everybody_at_once,
    ),
];

/// How long it blows.
const LENGTH: Duration = Duration::from_secs(30);
/// Machines of the fixture, a daemon each.
const MACHINES: usize = 5;
/// Users, sweepers included.
const USERS: usize = 9;
/// Replicas of an application that take events under one name.
const READERS: usize = 2;

/// What all clients share.
struct Storm {
    config: Config,
    over: AtomicBool,
    calls: AtomicU64,
    refused: AtomicU64,
}

/// One client: its session, its dice, and what it must not lose.
struct Actor {
    storm: Arc<Storm>,
    rng: Rng,
    client: Client,
}

impl Actor {
    fn new(storm: &Arc<Storm>, rng: Rng) -> Result<Actor> {
        let client = storm.config.connect(NoTls)?;
        Ok(Actor {
            storm: storm.clone(),
            rng,
            client,
        })
    }

    fn is_over(&self) -> bool {
        self.storm.over.load(Ordering::Relaxed)
    }

    /// A new session: the old one is gone with whatever it had begun.
    fn reconnect(&mut self) -> Result<()> {
        self.client = self.storm.config.connect(NoTls)?;
        Ok(())
    }

    /// Runs statements in one transaction. False: refused because of the state that things are in by now, which is part of
    /// the game; any other error is a defect.
    fn run(&mut self, sql: &str) -> Result<bool> {
        self.storm.calls.fetch_add(1, Ordering::Relaxed);
        match self.client.batch_execute(&format!("BEGIN; {sql}; COMMIT")) {
            Ok(()) => Ok(true),
            Err(error) => {
                let state = error.code().map_or("", |code| code.code()).to_string();
                self.client.batch_execute("ROLLBACK")?;
                // A statement of the application's own may name a runtime that has just been merged away.
                let own =
                    sql.starts_with("UPDATE") || sql.starts_with("INSERT INTO agent_task_queue");
                ensure!(
                    matches!(state.as_str(), "55000" | "P0002" | "22004")
                        || own && state == "23503",
                    "{sql}\nfails with {state}: {error:?}"
                );
                self.storm.refused.fetch_add(1, Ordering::Relaxed);
                Ok(false)
            }
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    fn pause(&mut self, most: u64) {
        std::thread::sleep(Duration::from_millis(self.rng.u64(0..=most)));
    }
}

type Life = fn(&mut Actor, usize) -> Result<()>;

fn spawn(
    storm: &Arc<Storm>,
    rng: &mut Rng,
    number: usize,
    life: Life,
) -> Result<JoinHandle<Result<()>>> {
    let mut actor = Actor::new(storm, rng.fork())?;
    Ok(std::thread::spawn(move || life(&mut actor, number)))
}

fn invariants_hold_after_everybody_at_once(context: &Context) -> Result<()> {
    let seed = match std::env::var("MULTICA_SEED") {
        Ok(given) => given.parse().context("MULTICA_SEED is a number")?,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64,
    };
    println!("      storm of seed {seed} (MULTICA_SEED repeats the dice, not the scheduling)");
    storm(context, seed).with_context(|| format!("MULTICA_SEED={seed}"))
}

fn storm(context: &Context, seed: u64) -> Result<()> {
    let cluster = context.cluster(&Options::new("storm"))?;
    let database = context.fresh_database_in(&cluster)?;
    database.fixture("storm")?;
    let mut client = database.connect()?;
    for setting in [
        "stale_after = '1s'",
        "redeliver_after = '500ms'",
        "dispatch_timeout = '2s'",
        "running_timeout = '3s'",
    ] {
        client.batch_execute(&format!(
            "ALTER DATABASE {} SET multica.{setting}",
            database.name
        ))?;
    }
    let storm = Arc::new(Storm {
        config: cluster.config(&database.name),
        over: AtomicBool::new(false),
        calls: AtomicU64::new(0),
        refused: AtomicU64::new(0),
    });
    let mut rng = Rng::with_seed(seed);
    let mut clients = Vec::new();
    for machine in 1..=MACHINES {
        clients.push(spawn(&storm, &mut rng, machine, daemon::live)?);
    }
    for number in 0..USERS {
        clients.push(spawn(&storm, &mut rng, number, user::live)?);
    }
    for number in 0..READERS {
        clients.push(spawn(&storm, &mut rng, number, reader::live)?);
    }
    let began = Instant::now();
    while began.elapsed() < LENGTH && !clients.iter().any(JoinHandle::is_finished) {
        std::thread::sleep(Duration::from_millis(50));
    }
    storm.over.store(true, Ordering::Relaxed);
    for client in clients {
        client
            .join()
            .expect("a client of the storm does not panic")?;
    }
    let (calls, refused) = (
        storm.calls.load(Ordering::Relaxed),
        storm.refused.load(Ordering::Relaxed),
    );
    println!("      {calls} calls, {refused} of them refused");
    ensure!(calls > 1000, "only {calls} calls: this was no storm");

    reader::take_the_rest(&mut client)?;
    check(context, &mut client).context("in the quiet after the storm")?;
    // Everybody is dead now. The sweep says so, until there is nothing to say.
    client.batch_execute("UPDATE agent_runtime SET last_seen_at = now() - interval '1 minute'")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    reader::take_the_rest(&mut client)?;
    check(context, &mut client).context("after the last sweep")?;
    let in_flight = values(
        &mut client,
        "SELECT id FROM agent_task_queue WHERE status IN ('dispatched', 'running')",
    )?;
    ensure!(
        in_flight.is_empty(),
        "in flight on dead machines: {in_flight:?}"
    );
    let went_through = values(
        &mut client,
        "SELECT s FROM unnest(ARRAY['queued', 'dispatched', 'running', 'completed', 'failed', 'cancelled']) AS s
         WHERE s NOT IN (SELECT before FROM history UNION SELECT after FROM history)",
    )?;
    ensure!(
        went_through.is_empty(),
        "no task was ever {went_through:?}: this was no storm"
    );
    let log = cluster.log()?;
    for trouble in [
        "deadlock detected",
        "was terminated by signal",
        "PANIC",
        "TRAP",
    ] {
        ensure!(!log.contains(trouble), "the server's log has {trouble:?}");
    }
    Ok(())
}

/// The queries of `invariants/`.
fn invariants(context: &Context) -> Result<Vec<PathBuf>> {
    let folder = context.project.harness().join("invariants");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|found| found == "sql"));
    files.sort();
    ensure!(
        files.len() > 12,
        "I1 to I12 have a file each, and there are more"
    );
    Ok(files)
}

/// Runs them all: the rows that one gives are violations.
fn check(context: &Context, client: &mut Client) -> Result<()> {
    let mut broken = Vec::new();
    for file in invariants(context)? {
        let rows = values(client, &std::fs::read_to_string(&file)?)?;
        if !rows.is_empty() {
            let name = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let first = rows[..rows.len().min(5)].join("\n    ");
            broken.push(format!("{name} ({} rows)\n    {first}", rows.len()));
        }
    }
    ensure!(broken.is_empty(), "broken: {}", broken.join("\n"));
    Ok(())
}

/// `invariants/broken/` has for every query what it is there to find.
fn every_invariant_notices_when_it_is_broken(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    database.fixture("storm")?;
    let mut client = database.connect()?;
    check(context, &mut client)?;
    for file in invariants(context)? {
        let name = file.file_name().unwrap_or_default();
        let breaks = std::fs::read_to_string(file.with_file_name("broken").join(name))?;
        client.batch_execute("BEGIN")?;
        client
            .batch_execute(&breaks)
            .with_context(|| format!("broken/{}", name.display()))?;
        let rows = values(&mut client, &std::fs::read_to_string(&file)?)?;
        ensure!(!rows.is_empty(), "{} notices nothing", name.display());
        client.batch_execute("ROLLBACK")?;
    }
    Ok(())
}

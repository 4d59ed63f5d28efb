//! The server's sweeper and the sweep of the extension at the same time, beside daemons and users of the server. The
//! server's statements are stand-ins with its conditions, its transactions and its order of locks, and with shorter
//! times.

mod checks;
mod daemon;
mod sweeper;
mod tasks;
mod user;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use postgres::Client;

use super::Suite;
use super::storm::given_seed;
use super::support::{number, value};
use crate::cluster::Options;
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![both_sweepers_leave_one_retry_per_failure];

/// How long the load lasts, unless the environment names another number of seconds.
const SECONDS: u64 = 20;
/// Machines, one daemon each.
const MACHINES: usize = 8;
/// Sessions that queue and cancel tasks.
const USERS: usize = 2;
/// Sessions that sweep, beside one that calls the procedure.
const SWEEPS: usize = 2;

/// The times of the extension. Those of the server are in its statements: they are the same, but for `finish_after`,
/// which is longer than any pass of the server's sweeper.
const SETTINGS: [&str; 6] = [
    "stale_after = '1s'",
    "offline_grace = '2s'",
    "dispatch_timeout = '1s'",
    "running_timeout = '4s'",
    "queued_ttl = '5s'",
    "finish_after = '3s'",
];

/// What all sessions share.
struct Load {
    end: Instant,
    has_failed: AtomicBool,
    tally: Tally,
}

/// What the sessions did.
#[derive(Default)]
struct Tally {
    /// Tasks that the server's sweeper failed.
    failed_by_server: AtomicU64,
    /// How often the server was killed before it had handled what its sweeper or its recovery failed.
    killed: AtomicU64,
    /// Sweeps of the extension.
    sweeps: AtomicU64,
    /// Calls of the extension that were refused because of the state of their rows.
    refused: AtomicU64,
}

impl Load {
    fn is_over(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed) || Instant::now() >= self.end
    }
}

/// One session of the load.
struct Session<'a> {
    load: &'a Load,
    client: Client,
    rng: Rng,
}

impl Session<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    fn pause(&mut self, most_ms: u64) {
        std::thread::sleep(Duration::from_millis(self.rng.u64(0..=most_ms)));
    }

    /// Runs a call of the extension, which may be refused because the state has changed meanwhile.
    fn call(&mut self, sql: &str) -> Result<()> {
        let Err(error) = self.client.batch_execute(sql) else { return Ok(()) };
        match error.code().map_or("", |code| code.code()) {
            "55000" | "40001" | "P0002" => {
                self.load.tally.refused.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            _ => Err(error).context(sql.to_string()),
        }
    }
}

/// The work of a session until the end of the load.
type Work = fn(&mut Session, usize) -> Result<()>;

/// Sweeps, one session in the two transactions of a sweep by the procedure.
fn sweep(session: &mut Session, number: usize) -> Result<()> {
    session.client.batch_execute("SET application_name = 'extension'")?;
    while !session.load.is_over() {
        let sql = if number == 0 { "CALL multica_sweep_all()" } else { "SELECT FROM multica_sweep()" };
        session.client.batch_execute(sql).context(sql)?;
        session.load.tally.sweeps.fetch_add(1, Ordering::Relaxed);
        session.pause(600);
    }
    Ok(())
}

fn both_sweepers_leave_one_retry_per_failure(context: &Context) -> Result<()> {
    let seed = match given_seed()? {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64,
    };
    println!("      seed {seed} (MULTICA_SEED repeats the random choices, not the scheduling)");
    let cluster = context.cluster(&Options::new("two-sweepers").set("deadlock_timeout", "100ms"))?;
    let database = context.generations()?.database(&cluster, "397", &context.fixtures())?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install()")?;
    database.fixture("two_sweepers")?;
    for setting in SETTINGS {
        client.batch_execute(&format!("ALTER DATABASE {} SET multica.{setting}", database.name))?;
    }
    let load = Load {
        end: Instant::now() + Duration::from_secs(number("MULTICA_TWO_SWEEPERS_SECONDS", SECONDS)?),
        has_failed: AtomicBool::new(false),
        tally: Tally::default(),
    };
    run(&database, &load, &mut Rng::with_seed(seed)).with_context(|| format!("MULTICA_SEED={seed}"))?;
    checks::finish(&mut database.connect()?)?;
    report(&mut client, &load.tally)?;
    let log = cluster.log()?;
    for error in ["deadlock detected", "was terminated by signal", "PANIC", "TRAP"] {
        ensure!(!log.contains(error), "the server's log has {error:?}");
    }
    Ok(())
}

/// Runs all sessions until the end, or until one has failed.
fn run(database: &Database, load: &Load, rng: &mut Rng) -> Result<()> {
    let works: [(Work, usize); 5] =
        [(sweeper::sweep, 1), (daemon::work, MACHINES), (user::work, USERS), (sweep, SWEEPS + 1), (checks::watch, 1)];
    std::thread::scope(|scope| -> Result<()> {
        let mut sessions = Vec::new();
        for (work, count) in works {
            for number in 0..count {
                let mut session = Session { load, client: database.connect()?, rng: rng.fork() };
                sessions.push(scope.spawn(move || {
                    let done = work(&mut session, number);
                    if done.is_err() {
                        load.has_failed.store(true, Ordering::Relaxed);
                    }
                    done
                }));
            }
        }
        let ended: Vec<Result<()>> =
            sessions.into_iter().map(|it| it.join().expect("a session does not panic")).collect();
        let failures: Vec<String> = ended.into_iter().filter_map(|it| it.err().map(|it| format!("{it:?}"))).collect();
        if !failures.is_empty() {
            bail!("{}", failures.join("\n"));
        }
        Ok(())
    })
}

/// Prints what happened, and fails if one of the two sweepers had too little to do.
fn report(client: &mut Client, tally: &Tally) -> Result<()> {
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let retries = "SELECT count(*) FROM agent_task_queue AS c JOIN agent_task_queue AS p ON p.id = c.parent_task_id";
    let by_server = value(client, &format!("{retries} WHERE c.quick_actions_disabled"))?;
    let by_extension = value(client, &format!("{retries} WHERE NOT c.quick_actions_disabled"))?;
    let finished = value(
        client,
        &format!("{retries} WHERE NOT c.quick_actions_disabled AND p.handoff_note = 'failed by the sweeper'"),
    )?;
    let ended = value(
        client,
        "SELECT string_agg(status || ' ' || many, ', ' ORDER BY status)
        FROM (SELECT status, count(*) AS many FROM agent_task_queue GROUP BY status) AS s",
    )?;
    println!(
        "      {} sweeps of the extension, {} calls refused; the server's sweeper failed {} tasks; it was killed {} times",
        read(&tally.sweeps),
        read(&tally.refused),
        read(&tally.failed_by_server),
        read(&tally.killed),
    );
    println!(
        "      retries: {by_server} by the server, {by_extension} by the extension, {finished} of them left by the server; tasks: {ended}"
    );
    for (what, count) in [("the server", by_server), ("the extension", by_extension), ("what was left", finished)] {
        ensure!(count != "0", "no retry of {what}: too little load");
    }
    Ok(())
}

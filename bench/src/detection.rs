//! Measures the time from SIGKILL of a daemon until its retry is queued.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use multica_harness::cluster::Cluster;
use multica_harness::database::Database;
use multica_harness::demo::{Identity, Machine};
use multica_harness::speed::Results;
use multica_harness::speed::ways::detection::LATE;
use postgres::Client;
use uuid::Uuid;

use crate::bench::Bench;
use crate::progress::Progress;

/// The size of the measurement.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Number of daemons, each a process with one runtime and one task
    #[arg(long, default_value_t = 40)]
    daemons: usize,
    /// The value of multica.stale_after, in seconds
    #[arg(long, default_value_t = 3)]
    stale_after: u32,
}

/// The arguments of a quick run.
pub const QUICK: &[&str] = &["--daemons=10"];

/// Time between two kills. It is not a divisor of the worker's interval, so the daemons die at different times of the
/// interval, and normally each in a sweep of its own.
const APART: Duration = Duration::from_millis(370);
/// Longest wait for a retry.
const LIMIT: Duration = Duration::from_secs(60);

/// Kills the daemons one after the other and records when each retry is queued.
pub fn measure(bench: &Bench, load: &Load) -> Result<Results> {
    let about = format!(
        "daemon processes, each with a task running, are killed with SIGKILL; stale_after {} s, a beat every 0.2 s, the worker's interval 10 s",
        load.stale_after
    );
    let mut results = bench.results("detection", &about, &["daemons", "stale_after"]);
    let progress = Progress::new("detection", 3);
    let database = bench.context.fresh_database_in(bench.cluster)?;
    let mut client = database.connect()?;
    let workspace: Uuid =
        client.query_one("INSERT INTO workspace (name, slug) VALUES ('w', 'w') RETURNING id", &[])?.get(0);
    progress.step("starting daemons");
    let mut daemons =
        (0..load.daemons).map(|number| start(bench, &database, workspace, number)).collect::<Result<Vec<_>>>()?;
    client.execute(&bench.text("detection/work.sql")?, &[])?;
    for issue in client.query("SELECT id FROM issue", &[])? {
        let issue: Uuid = issue.get(0);
        client
            .query_one("SELECT task_id FROM multica_enqueue_issue($1, context => '{\"steps\": 1000000}')", &[&issue])?;
    }
    Cluster::wait_until("every daemon works", LIMIT, || all_work(&mut client, load.daemons))?;
    client.batch_execute(&format!(
        "ALTER DATABASE {0} SET multica.stale_after = '{1}s'; ALTER DATABASE {0} SET multica.sweep = on",
        database.name, load.stale_after
    ))?;

    progress.step("waiting for the worker");
    Cluster::wait_until("the worker looks at the database", LIMIT, || {
        let looked = "SELECT last_sweep_at IS NOT NULL FROM multica_status()";
        Ok(client.query_one(looked, &[])?.get(0))
    })?;
    progress.step("killing daemons");
    let retries = client.prepare(&bench.text("detection/retries.sql")?)?;
    let mut killed = BTreeMap::new();
    let mut seen: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    let began = Instant::now();
    while seen.len() < daemons.len() {
        ensure!(
            began.elapsed() < LIMIT + APART * u32::try_from(load.daemons)?,
            "only {} of {} retries came",
            seen.len(),
            load.daemons
        );
        if killed.len() < daemons.len() && began.elapsed() >= APART * u32::try_from(killed.len())? {
            let daemon = &mut daemons[killed.len()];
            daemon.kill()?;
            killed.insert(daemon.name().to_string(), Instant::now());
        }
        for row in client.query(&retries, &[])? {
            let name: String = row.get(0);
            if let Entry::Vacant(place) = seen.entry(name) {
                let when = killed.get(place.key()).context("a daemon that lives was failed")?;
                place.insert((when.elapsed().as_secs_f64(), row.get(1)));
            }
        }
        thread::sleep(Duration::from_millis(2));
    }
    let at = [i64::try_from(load.daemons)?, i64::from(load.stale_after)];
    let stale = f64::from(load.stale_after);
    let after_kill: Vec<f64> = seen.values().map(|(kill, _)| *kill).collect();
    let late: Vec<f64> = seen.values().map(|(_, beat)| (beat - stale) * 1000.0).collect();
    results.add("from SIGKILL to the retry", &at, "s", after_kill);
    results.add(LATE, &at, "ms", late);
    Ok(results)
}

fn start(bench: &Bench, database: &Database, workspace: Uuid, number: usize) -> Result<Machine> {
    let folder = bench.cluster.socket_folder();
    let name = format!("machine-{number}");
    let identity = Identity {
        disk: folder.join("disks").join(&name),
        host: folder,
        database: database.name.clone(),
        workspace,
        provider: "claude".into(),
        daemon_id: name,
        legacy_id: None,
        places: 1,
        round: 200,
        heartbeat: 200,
        reports_progress: false,
    };
    let (output, _) = channel();
    Machine::start(identity, output)
}

fn all_work(client: &mut Client, daemons: usize) -> Result<bool> {
    let query = "SELECT count(*) FROM agent_task_queue WHERE status = 'running'";
    let working: i64 = client.query_one(query, &[])?.get(0);
    Ok(working == i64::try_from(daemons)?)
}

//! The checks while the clients pause: nothing acknowledged is lost, each invariant holds, and the standby has the same
//! rows.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::pair::{LIMIT, Pair};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::query::values;
use crate::storm::{Storm, invariants, take_remaining};

/// Returns the transactions of killed clients, which may still be running.
const OPEN_TRANSACTIONS: &str = "SELECT FROM pg_stat_activity WHERE datname = current_database()
     AND backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()";

/// Takes the advisory lock of the worker, because while another session holds it, workers exit at once.
const KEEP_WORKERS_OUT: &str = "SELECT pg_advisory_lock(1836411769, 1)";

/// The rows that the worker must still sweep. Every runtime is stale, because no daemon sends a heartbeat while the
/// clients pause.
const NOT_SWEPT: &str = "SELECT 'runtime ' || id FROM agent_runtime WHERE status = 'online'
     UNION ALL SELECT 'task ' || id FROM agent_task_queue WHERE status IN ('dispatched', 'running')";

/// Tables of the storm's fixture.
const OWN_TABLES: &str =
    "SELECT (SELECT count(*) FROM returned), (SELECT count(*) FROM taken), (SELECT count(*) FROM history)";

/// Pauses the clients and checks. With `wait_for_sweep` it first waits until the worker has set every runtime offline.
/// The clients continue only if no check has failed.
pub fn run(context: &Context, pair: &Pair, storm: &Storm, database: &str, wait_for_sweep: bool) -> Result<()> {
    storm.pause(LIMIT)?;
    pair.wait_until_synchronous()?;
    storm.expect_full_disk(false);
    let mut client = pair.primary.connect(database)?;
    Cluster::wait_until("every transaction of a client has ended", LIMIT, || {
        Ok(client.query(OPEN_TRANSACTIONS, &[])?.is_empty())
    })?;
    if wait_for_sweep {
        wait_until_swept(&mut client)?;
    }
    client.query(KEEP_WORKERS_OUT, &[])?;
    take_remaining(&mut client)?;
    invariants::check(&context.project, &mut client)?;
    storm.ledger().check(&mut client)?;
    compare(context, pair, &mut client, database)?;
    drop(client);
    storm.resume();
    Ok(())
}

/// Waits for the worker, because no other process sweeps while the clients pause.
fn wait_until_swept(client: &mut Client) -> Result<()> {
    Cluster::wait_until("the worker has swept everything", LIMIT, || Ok(values(client, NOT_SWEPT)?.is_empty())).or_else(
        |error| {
            let left = values(client, NOT_SWEPT)?;
            let status = values(client, "SELECT s FROM multica_status() AS s")?;
            Err(error.context(format!("{left:?}, {status:?}")))
        },
    )
}

/// Fails unless the standby has every row of every table and no launcher, and `multica_status()` works on it.
fn compare(context: &Context, pair: &Pair, client: &mut Client, database: &str) -> Result<()> {
    let file = context.fixtures().join("digest.sql");
    let digest = std::fs::read_to_string(&file)?;
    let mut standby = pair.caught_up(client, database)?;
    for query in [digest.as_str(), OWN_TABLES] {
        let (here, there) = (values(client, query)?, values(&mut standby, query)?);
        ensure!(here == there, "primary {here:#?}, standby {there:#?}");
    }
    let launcher = |client: &mut Client| values(client, "SELECT launcher_pid FROM multica_status()");
    let (here, there) = (launcher(client)?, launcher(&mut standby)?);
    ensure!(there == [""], "a launcher runs on the standby: process {there:?}");
    ensure!(here != [""], "no launcher runs on the primary");
    Ok(())
}

/// SQLSTATEs of the errors that the logs may contain: refused calls, and the effects of the faults.
const EXPECTED: [&str; 7] = ["55000", "P0002", "22004", "23503", "55P03", "53100", "57P01"];

/// Fails if a log contains a deadlock, an internal error, or a process that crashed without being killed.
pub fn read_logs(logs: &[String]) -> Result<()> {
    for line in logs.iter().flat_map(|log| log.lines()) {
        let state = line.split_once("] ").and_then(|(_, rest)| rest.get(..5)).unwrap_or_default();
        let bad = line.contains("PANIC:")
            || line.contains("TRAP:")
            || state.starts_with("XX")
            || line.contains("was terminated by signal") && !line.contains("signal 9: Killed")
            || line.contains(" ERROR: ") && !EXPECTED.contains(&state);
        ensure!(!bad, "the log of a server contains: {line}");
    }
    Ok(())
}

/// Fails if an index or a table is damaged.
pub fn amcheck(pair: &Pair, database: &str) -> Result<()> {
    pair.primary
        .run("pg_amcheck", &["--install-missing", "--heapallindexed", "--database", database])
        .map(drop)
        .context("pg_amcheck")
}

//! What has to be true whenever the clients pause: nothing lost, nothing half done, nothing left to nobody.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::pair::{LIMIT, Pair};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::query::values;
use crate::storm::{Storm, invariants, take_the_rest};

/// Transactions of clients that are no more may still be on their way out.
const NOBODY: &str = "SELECT FROM pg_stat_activity WHERE datname = current_database()
     AND backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()";

/// The lock of the worker that sweeps: while another holds it, workers leave at once.
const KEEP_WORKERS_OUT: &str = "SELECT pg_advisory_lock(1836411769, 1)";

/// No daemon has beaten for long enough: everybody is dead, and the worker is to say so.
const WORK_OF_THE_DEAD: &str = "SELECT 'runtime ' || id FROM agent_runtime WHERE status = 'online'
     UNION ALL SELECT 'task ' || id FROM agent_task_queue WHERE status IN ('dispatched', 'running')";

/// Tables of the storm's fixture.
const OWN_TABLES: &str =
    "SELECT (SELECT count(*) FROM returned), (SELECT count(*) FROM taken), (SELECT count(*) FROM history)";

/// Pauses the clients and looks; with `settle` everybody is found dead first. The clients go on only if all is well.
pub fn look(context: &Context, pair: &Pair, storm: &Storm, database: &str, settle: bool) -> Result<()> {
    storm.pause(LIMIT)?;
    pair.wait_until_followed()?;
    storm.expect_full_disk(false);
    let mut client = pair.primary.connect(database)?;
    Cluster::wait_until("every transaction of a client has ended", LIMIT, || {
        Ok(client.query(NOBODY, &[])?.is_empty())
    })?;
    if settle {
        wait_until_swept(&mut client)?;
    }
    client.query(KEEP_WORKERS_OUT, &[])?;
    take_the_rest(&mut client)?;
    invariants::check(&context.project, &mut client)?;
    storm.ledger().check(&mut client)?;
    compare(context, pair, &mut client, database)?;
    drop(client);
    storm.resume();
    Ok(())
}

/// By the background worker: nobody else sweeps while the clients pause.
fn wait_until_swept(client: &mut Client) -> Result<()> {
    Cluster::wait_until("the worker finds everybody dead", LIMIT, || Ok(values(client, WORK_OF_THE_DEAD)?.is_empty()))
        .or_else(|error| {
            let left = values(client, WORK_OF_THE_DEAD)?;
            let status = values(client, "SELECT s FROM multica_status() AS s")?;
            Err(error.context(format!("{left:?}, {status:?}")))
        })
}

/// The standby has every row of every table, no launcher, and tells how things stand.
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

/// Errors that the logs may show: refusals, and what was done to the servers.
const EXPECTED: [&str; 7] = ["55000", "P0002", "22004", "23503", "55P03", "53100", "57P01"];

/// Fails if a log shows a deadlock, an internal error, or a process that crashed of its own accord.
pub fn read_logs(logs: &[String]) -> Result<()> {
    for line in logs.iter().flat_map(|log| log.lines()) {
        let state = line.split_once("] ").and_then(|(_, rest)| rest.get(..5)).unwrap_or_default();
        let bad = line.contains("PANIC:")
            || line.contains("TRAP:")
            || state.starts_with("XX")
            || line.contains("was terminated by signal") && !line.contains("signal 9: Killed")
            || line.contains(" ERROR: ") && !EXPECTED.contains(&state);
        ensure!(!bad, "a server's log says: {line}");
    }
    Ok(())
}

/// Fails if an index or a table is damaged.
pub fn examine(pair: &Pair, database: &str) -> Result<()> {
    pair.primary
        .run("pg_amcheck", &["--install-missing", "--heapallindexed", "--database", database])
        .map(drop)
        .context("pg_amcheck")
}

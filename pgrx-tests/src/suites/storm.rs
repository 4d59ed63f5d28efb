//! Concurrent load without crashes. Afterwards every invariant of the lifecycle is true; each is checked by a query in
//! `invariants/`.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;

use super::Suite;
use super::support::values;
use crate::cluster::Options;
use crate::context::Context;
use crate::storm::{Conditions, Storm, invariants, take_remaining};

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] =
    suite![every_invariant_query_detects_a_violation, invariants_hold_after_concurrent_load,];

/// How long the load lasts.
const LENGTH: Duration = Duration::from_secs(30);

/// `MULTICA_SEED`: the seed of an earlier run, whose random choices this run repeats.
pub fn given_seed() -> Result<Option<u64>> {
    std::env::var("MULTICA_SEED").ok().map(|given| given.parse().context("MULTICA_SEED is a number")).transpose()
}

fn invariants_hold_after_concurrent_load(context: &Context) -> Result<()> {
    let seed = match given_seed()? {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64,
    };
    println!("      seed {seed} (MULTICA_SEED repeats the random choices, not the scheduling)");
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
        "prepare_lease = '300ms'",
        "dispatch_timeout = '2s'",
        "running_timeout = '3s'",
    ] {
        client.batch_execute(&format!("ALTER DATABASE {} SET multica.{setting}", database.name))?;
    }
    let load = Storm::begin(cluster.config(&database.name), &mut Rng::with_seed(seed), Conditions::Normal)?;
    load.run_for(LENGTH);
    let storm = load.end()?;
    let (calls, refused) = (storm.tally.calls.load(Ordering::Relaxed), storm.tally.refused.load(Ordering::Relaxed));
    println!("      {calls} calls, {refused} of them refused");
    ensure!(calls > 1000, "only {calls} calls: too little load");

    take_remaining(&mut client)?;
    invariants::check(&context.project, &mut client).context("after the load")?;
    storm.ledger().check(&mut client)?;
    // Now every runtime is stale: sweep until there is nothing to do.
    client.batch_execute("UPDATE agent_runtime SET last_seen_at = now() - interval '1 minute'")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    take_remaining(&mut client)?;
    invariants::check(&context.project, &mut client).context("after the last sweep")?;
    let in_flight = values(&mut client, "SELECT id FROM agent_task_queue WHERE status IN ('dispatched', 'running')")?;
    ensure!(in_flight.is_empty(), "in flight on stale runtimes: {in_flight:?}");
    let unused_statuses = values(
        &mut client,
        "SELECT s FROM unnest(ARRAY['queued', 'dispatched', 'running', 'completed', 'failed', 'cancelled']) AS s
         WHERE s NOT IN (SELECT before FROM history UNION SELECT after FROM history)",
    )?;
    ensure!(unused_statuses.is_empty(), "no task was ever {unused_statuses:?}: too little load");
    let log = cluster.log()?;
    for error in ["deadlock detected", "was terminated by signal", "PANIC", "TRAP"] {
        ensure!(!log.contains(error), "the server's log has {error:?}");
    }
    Ok(())
}

/// `invariants/broken/` has a violation for each query, which must find it.
fn every_invariant_query_detects_a_violation(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    database.fixture("storm")?;
    let mut client = database.connect()?;
    invariants::check(&context.project, &mut client)?;
    for file in invariants::files(&context.project)? {
        let name = file.file_name().unwrap_or_default();
        let violation = std::fs::read_to_string(file.with_file_name("broken").join(name))?;
        client.batch_execute("BEGIN")?;
        client.batch_execute(&violation).with_context(|| format!("broken/{}", name.display()))?;
        let rows = values(&mut client, &std::fs::read_to_string(&file)?)?;
        ensure!(!rows.is_empty(), "{} finds no violation", name.display());
        client.batch_execute("ROLLBACK")?;
    }
    Ok(())
}

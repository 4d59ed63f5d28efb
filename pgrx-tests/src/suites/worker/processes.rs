//! The lives of launcher and workers: outages, signals, restarts, promotion.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use postgres::Client;

use super::{
    SOON, alter, fleet, holds, launcher, options, silence, sweeping, switch_on, ticking, wait_for, wait_until_swept,
};
use crate::cluster::{Cluster, Options, Shutdown};
use crate::context::Context;
use crate::suites::support::terminate;

const MACHINE_1: &str = "00000000-0000-4000-8000-0000000000b1";

/// The server was away for longer than stale_after. A daemon that beats again in time keeps its runtime and its tasks;
/// one that does not is found dead, but not before its stale_after and one interval.
pub fn daemons_get_time_for_heartbeat_after_outage(context: &Context) -> Result<()> {
    let cluster = context.cluster(&options("outage").set("shared_preload_libraries", ""))?;
    let database = fleet(context, &cluster)?;
    alter(&database, "SET multica.stale_after = '3s'")?;
    alter(&database, "SET multica.sweep = on")?;
    silence(&database)?;
    let mut client = cluster.connect("postgres")?;
    client.batch_execute("ALTER SYSTEM SET shared_preload_libraries = 'multica'")?;
    cluster.restart()?;
    let begin = "SELECT pg_postmaster_start_time()::text";
    beat_until_machine_2_is_dead(database.connect()?, begin)?;
    // A crash of one process takes the shared memory along: that is an outage too.
    silence(&database)?;
    cluster.kill()?;
    cluster.start()?;
    beat_until_machine_2_is_dead(database.connect()?, begin)
}

/// The old primary was away for longer than stale_after when the standby is promoted; daemons find it in their time.
pub fn daemons_get_time_for_heartbeat_after_promotion(context: &Context) -> Result<()> {
    let primary = context.cluster(&options("primary").set("shared_preload_libraries", ""))?;
    let database = fleet(context, &primary)?;
    alter(&database, "SET multica.stale_after = '3s'")?;
    alter(&database, "SET multica.sweep = on")?;
    silence(&database)?;
    let standby = primary.standby(&context.project, &options("standby"))?;
    primary.stop(Shutdown::Fast)?;
    let before: String = standby.connect("postgres")?.query_one("SELECT clock_timestamp()::text", &[])?.get(0);
    standby.promote()?;
    beat_until_machine_2_is_dead(standby.connect(&database.name)?, &format!("SELECT '{before}'"))
}

/// `begin` asks since when daemons could beat again.
fn beat_until_machine_2_is_dead(mut daemon: Client, begin: &str) -> Result<()> {
    Cluster::wait_until("machine 2 is found dead", SOON, || {
        daemon.execute(&format!("SELECT * FROM multica_heartbeat('{MACHINE_1}')"), &[])?;
        holds(&mut daemon, "SELECT status = 'offline' FROM agent_runtime WHERE daemon_id = 'machine-2'")
    })?;
    let alive = "SELECT status = 'online' FROM agent_runtime WHERE daemon_id = 'machine-1'";
    ensure!(holds(&mut daemon, alive)?, "machine 1 was found dead though it beat");
    let untouched = "SELECT count(*) = 2 FROM agent_task_queue WHERE status IN ('dispatched', 'running')";
    ensure!(holds(&mut daemon, untouched)?, "a task of machine 1 was failed");
    let spared = format!(
        "SELECT updated_at >= ({begin})::timestamptz + interval '3 seconds' FROM agent_runtime WHERE daemon_id = 'machine-2'"
    );
    ensure!(holds(&mut daemon, &spared)?, "machine 2 was not given its stale_after");
    Ok(())
}

/// A dead runtime is noticed when it goes stale, not at the next tick, which here is an hour away.
pub fn stale_runtime_is_found_before_next_tick(context: &Context) -> Result<()> {
    let cluster = ticking(context, "moment")?;
    let database = fleet(context, &cluster)?;
    switch_on(&database)?;
    silence(&database)?;
    wait_until_swept(&database)?;
    let mut daemon = database.connect()?;
    daemon.batch_execute(&format!("SELECT * FROM multica_heartbeat('{MACHINE_1}')"))?;
    daemon.batch_execute("ALTER SYSTEM SET multica.sweep_interval = '1h'")?;
    cluster.reload()?;
    wait_until_swept(&database)
}

/// A shorter interval and a threshold of ALTER DATABASE count at once, without a restart.
pub fn reload_takes_effect_at_once(context: &Context) -> Result<()> {
    let cluster = context.cluster(&Options::new("reload").set("multica.sweep_interval", "1h"))?;
    let database = fleet(context, &cluster)?;
    switch_on(&database)?;
    silence(&database)?;
    let before = launcher(&cluster)?;
    let mut client = cluster.connect("postgres")?;
    client.batch_execute("ALTER SYSTEM SET multica.sweep_interval = '200ms'")?;
    cluster.reload()?;
    wait_until_swept(&database)?;
    alter(&database, "SET multica.stale_after = '2h'")?;
    // Sweeps that began under the old threshold have ended when another database was swept.
    let other = fleet(context, &cluster)?;
    switch_on(&other)?;
    for _ in 0..3 {
        silence(&other)?;
        wait_until_swept(&other)?;
    }
    silence(&database)?;
    for _ in 0..3 {
        silence(&other)?;
        wait_until_swept(&other)?;
    }
    let alive = "SELECT bool_and(status = 'online') FROM agent_runtime";
    ensure!(holds(&mut database.connect()?, alive)?, "swept under the old threshold");
    ensure!(launcher(&cluster)? == before, "the launcher was restarted");
    Ok(())
}

/// pg_terminate_backend ends a worker in mid-statement, and a launcher is followed by its restart.
pub fn terminated_processes_are_restarted(context: &Context) -> Result<()> {
    let cluster = ticking(context, "terminate")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_backlog")?;
    switch_on(&database)?;
    let mut client = cluster.connect("postgres")?;
    // Again where a worker had just come to its own end.
    Cluster::wait_until("a worker is terminated in mid-statement", SOON, || {
        let worker = sweeping(&database)?;
        terminate(&mut client, worker)?;
        ended_in_mid_statement(&cluster)
    })?;
    sweeping(&database)?;
    let before = launcher(&cluster)?;
    terminate(&mut client, before)?;
    ensure!(launcher(&cluster)? != before, "the old launcher is back from the dead");
    database.connect()?.batch_execute("ALTER TABLE agent_task_queue DISABLE TRIGGER dawdle")?;
    wait_for(
        &database,
        "the backlog is swept",
        "SELECT count(*) = 0 FROM agent_task_queue WHERE status IN ('dispatched', 'running')",
    )
}

/// A fast shutdown ends a worker in mid-statement and leaves no task half done.
pub fn fast_shutdown_does_not_wait_for_sweep(context: &Context) -> Result<()> {
    let cluster = ticking(context, "stop")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_backlog")?;
    switch_on(&database)?;
    Cluster::wait_until("a worker is stopped in mid-statement", SOON, || {
        sweeping(&database)?;
        cluster.stop(Shutdown::Fast)?;
        let ended = ended_in_mid_statement(&cluster)?;
        cluster.start()?;
        Ok(ended)
    })?;
    let whole = "SELECT count(*) FILTER (WHERE status = 'failed' AND failure_reason = 'runtime_offline')
                      = (SELECT count(*) FROM multica_event_log WHERE type = 'task:failed')
                 FROM agent_task_queue";
    ensure!(holds(&mut database.connect()?, whole)?, "tasks and events disagree");
    Ok(())
}

/// Whether the log has a worker terminated with a statement in its hands. The time it took would tell the same, but not
/// on a busy machine.
fn ended_in_mid_statement(cluster: &Cluster) -> Result<bool> {
    let log = cluster.log()?;
    let lines: Vec<&str> = log.lines().collect();
    Ok(lines.windows(2).any(|pair| {
        pair[0].contains("terminating background worker \"multica worker\"") && pair[1].contains("CONTEXT:")
    }))
}

/// No launcher on a standby; it starts with the promotion, and what the primary was told to sweep is swept.
pub fn promoted_standby_starts_to_sweep(context: &Context) -> Result<()> {
    // The primary leaves the work to whoever takes its place.
    let primary = context.cluster(&options("primary").set("multica.sweep_interval", "1h"))?;
    let database = fleet(context, &primary)?;
    switch_on(&database)?;
    silence(&database)?;
    launcher(&primary)?;
    let standby = primary.standby(&context.project, &options("standby"))?;
    primary.stop(Shutdown::Fast)?;
    let mut client = standby.connect("postgres")?;
    let none = "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'multica%'";
    ensure!(holds(&mut client, none)?, "a launcher runs on the standby");
    let promoted = Instant::now();
    standby.promote()?;
    launcher(&standby)?;
    let mut client = standby.connect(&database.name)?;
    Cluster::wait_until("the promoted server sweeps", SOON, || {
        holds(&mut client, "SELECT count(*) = 0 FROM agent_runtime WHERE status = 'online'")
    })?;
    ensure!(promoted.elapsed() >= Duration::from_secs(1), "daemons got no time to find the promoted server");
    Ok(())
}

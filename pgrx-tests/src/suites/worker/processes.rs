//! Launcher and workers across outages, signals, restarts and promotion.

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

/// The options of a cluster whose sweeps hold their verdicts after an outage, as those of a new server do.
fn holding(name: &str) -> Options {
    options(name).set("multica.hold_verdicts", "on")
}

/// The server was down for longer than stale_after. A daemon that sends a heartbeat in time keeps its runtime and its
/// tasks; a runtime without a heartbeat is set offline, but not before its stale_after.
pub fn daemons_get_time_for_heartbeat_after_outage(context: &Context) -> Result<()> {
    let cluster = context.cluster(&holding("outage").set("shared_preload_libraries", ""))?;
    let database = fleet(context, &cluster)?;
    alter(&database, "SET multica.stale_after = '3s'")?;
    alter(&database, "SET multica.sweep = on")?;
    silence(&database)?;
    let mut client = cluster.connect("postgres")?;
    client.batch_execute("ALTER SYSTEM SET shared_preload_libraries = 'multica'")?;
    cluster.restart()?;
    let begin = "SELECT pg_postmaster_start_time()::text";
    send_heartbeats_until_machine_2_is_offline(database.connect()?, begin)?;
    // A crash of one process resets the shared memory, which is an outage too.
    silence(&database)?;
    cluster.kill()?;
    cluster.start()?;
    send_heartbeats_until_machine_2_is_offline(database.connect()?, begin)
}

/// The old primary was down for longer than stale_after when the standby is promoted; daemons get the same time.
pub fn daemons_get_time_for_heartbeat_after_promotion(context: &Context) -> Result<()> {
    let primary = context.cluster(&holding("primary").set("shared_preload_libraries", ""))?;
    let database = fleet(context, &primary)?;
    alter(&database, "SET multica.stale_after = '3s'")?;
    alter(&database, "SET multica.sweep = on")?;
    silence(&database)?;
    let standby = primary.standby(&context.project, &holding("standby"))?;
    primary.stop(Shutdown::Fast)?;
    let before: String = standby.connect("postgres")?.query_one("SELECT clock_timestamp()::text", &[])?.get(0);
    standby.promote()?;
    send_heartbeats_until_machine_2_is_offline(standby.connect(&database.name)?, &format!("SELECT '{before}'"))
}

/// `begin` is the query for the time since which daemons could send heartbeats.
fn send_heartbeats_until_machine_2_is_offline(mut daemon: Client, begin: &str) -> Result<()> {
    Cluster::wait_until("machine 2 is offline", SOON, || {
        daemon.execute(&format!("SELECT * FROM multica_heartbeat('{MACHINE_1}')"), &[])?;
        holds(&mut daemon, "SELECT status = 'offline' FROM agent_runtime WHERE daemon_id = 'machine-2'")
    })?;
    let alive = "SELECT status = 'online' FROM agent_runtime WHERE daemon_id = 'machine-1'";
    ensure!(holds(&mut daemon, alive)?, "machine 1 was set offline despite its heartbeats");
    let untouched = "SELECT count(*) = 2 FROM agent_task_queue WHERE status IN ('dispatched', 'running')";
    ensure!(holds(&mut daemon, untouched)?, "a task of machine 1 was failed");
    let had_time = format!(
        "SELECT updated_at >= ({begin})::timestamptz + interval '3 seconds' FROM agent_runtime WHERE daemon_id = 'machine-2'"
    );
    ensure!(holds(&mut daemon, &had_time)?, "machine 2 was set offline before its stale_after");
    Ok(())
}

/// A stale runtime is found when it becomes stale, not at the next tick, which is an hour later here.
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

/// A shorter interval and a threshold of ALTER DATABASE take effect at once, without a restart.
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
    // When another database has been swept, sweeps with the old threshold have ended.
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

/// pg_terminate_backend ends a worker during a statement; a terminated launcher is restarted.
pub fn terminated_processes_are_restarted(context: &Context) -> Result<()> {
    let cluster = ticking(context, "terminate")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_backlog")?;
    switch_on(&database)?;
    let mut client = cluster.connect("postgres")?;
    // Repeated if the worker had just exited by itself.
    Cluster::wait_until("a worker is terminated during a statement", SOON, || {
        let worker = sweeping(&database)?;
        terminate(&mut client, worker)?;
        ended_during_statement(&cluster)
    })?;
    sweeping(&database)?;
    let before = launcher(&cluster)?;
    terminate(&mut client, before)?;
    ensure!(launcher(&cluster)? != before, "the launcher was not restarted");
    database.connect()?.batch_execute("ALTER TABLE agent_task_queue DISABLE TRIGGER dawdle")?;
    wait_for(
        &database,
        "the backlog is swept",
        "SELECT count(*) = 0 FROM agent_task_queue WHERE status IN ('dispatched', 'running')",
    )
}

/// A fast shutdown ends a worker during a statement and leaves no task without its event.
pub fn fast_shutdown_does_not_wait_for_sweep(context: &Context) -> Result<()> {
    let cluster = ticking(context, "stop")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_backlog")?;
    switch_on(&database)?;
    Cluster::wait_until("a worker is stopped during a statement", SOON, || {
        sweeping(&database)?;
        cluster.stop(Shutdown::Fast)?;
        let ended = ended_during_statement(&cluster)?;
        cluster.start()?;
        Ok(ended)
    })?;
    let consistent = "SELECT count(*) FILTER (WHERE status = 'failed' AND failure_reason = 'runtime_offline')
                      = (SELECT count(*) FROM multica_event_log WHERE type = 'task:failed')
                 FROM agent_task_queue";
    ensure!(holds(&mut database.connect()?, consistent)?, "tasks and events disagree");
    Ok(())
}

/// Whether the log reports that a worker was terminated during a statement. The elapsed time would prove the same, but
/// not on a busy machine.
fn ended_during_statement(cluster: &Cluster) -> Result<bool> {
    let log = cluster.log()?;
    let lines: Vec<&str> = log.lines().collect();
    Ok(lines.windows(2).any(|pair| {
        pair[0].contains("terminating background worker \"multica worker\"") && pair[1].contains("CONTEXT:")
    }))
}

/// A standby has no launcher. The launcher starts at the promotion, and sweeps the databases whose sweep is on.
pub fn promoted_standby_starts_to_sweep(context: &Context) -> Result<()> {
    // The primary sweeps too seldom to do the work of the promoted standby.
    let primary = context.cluster(&options("primary").set("multica.sweep_interval", "1h"))?;
    let database = fleet(context, &primary)?;
    switch_on(&database)?;
    silence(&database)?;
    launcher(&primary)?;
    let standby = primary.standby(&context.project, &holding("standby"))?;
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

//! What the tests of the worker share: clusters with short ticks, databases that are swept, and conditions to wait for.

mod databases;
mod identity;
mod launcher;
mod owners;
mod processes;
mod timing;

use std::time::Duration;

use anyhow::{Result, ensure};
use postgres::Client;

use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::database::Database;
use crate::suites::Suite;

/// Processes, shared memory, signals, and the initial state of a database session.
pub const ALL: &[(&str, Suite)] = suite![
    databases::database_can_be_copied_and_dropped_during_backlog,
    databases::worker_over_time_limit_is_terminated,
    databases::missing_worker_slot_is_logged,
    identity::trigger_has_only_rights_of_owner,
    identity::search_path_does_not_capture_superuser_lookups,
    identity::sweep_uses_no_shadowing_object,
    identity::database_settings_do_not_block_sweep,
    launcher::cluster_without_postgres_database_is_swept,
    launcher::launcher_database_can_be_copied_and_renamed,
    launcher::launcher_waits_for_connectable_database,
    processes::daemons_get_time_for_heartbeat_after_outage,
    processes::daemons_get_time_for_heartbeat_after_promotion,
    processes::reload_takes_effect_at_once,
    processes::terminated_processes_are_restarted,
    processes::fast_shutdown_does_not_wait_for_sweep,
    processes::promoted_standby_starts_to_sweep,
];

/// When and as which role a sweep runs, and what it skips.
pub const AT_HOME: &[(&str, Suite)] = suite![
    databases::full_disk_refuses_no_task,
    databases::unsweepable_database_is_logged_once,
    databases::second_worker_of_database_exits,
    launcher::broken_database_is_skipped,
    launcher::locked_database_delays_no_other_sweep,
    databases::refused_task_delays_only_itself,
    databases::refused_tasks_among_many_delay_only_themselves,
    databases::error_in_one_database_does_not_stop_others,
    identity::tables_of_several_owners_are_not_swept,
    identity::tables_of_newer_server_are_swept,
    owners::worker_runs_as_new_owner,
    processes::stale_runtime_is_found_before_next_tick,
    timing::killed_daemon_is_found_within_one_second,
    timing::runtime_stale_during_sweep_is_found_before_next_tick,
];

/// Longest wait for an action that takes the worker a few ticks.
pub const SOON: Duration = Duration::from_secs(60);

/// A cluster whose launcher ticks five times per second.
pub fn ticking(context: &Context, name: &str) -> Result<Cluster> {
    context.cluster(&options(name))
}

/// The options of [`ticking`].
pub fn options(name: &str) -> Options {
    Options::new(name).set("multica.sweep_interval", "200ms")
}

/// A database with the fixture `fleet`, whose two runtimes are online and not stale.
pub fn fleet<'a>(context: &Context, cluster: &'a Cluster) -> Result<Database<'a>> {
    let database = context.fresh_database_in(cluster)?;
    database.fixture("fleet")?;
    Ok(database)
}

/// Runs ALTER DATABASE, as an administrator would.
pub fn alter(database: &Database, what: &str) -> Result<()> {
    let sql = format!("ALTER DATABASE {} {what}", database.name);
    Ok(database.cluster().connect("postgres")?.batch_execute(&sql)?)
}

/// Switches the worker on; a runtime is stale after a second.
pub fn switch_on(database: &Database) -> Result<()> {
    alter(database, "SET multica.stale_after = '1s'")?;
    alter(database, "SET multica.sweep = on")
}

/// The last heartbeat of every runtime was an hour ago.
pub fn silence(database: &Database) -> Result<()> {
    Ok(database
        .connect()?
        .batch_execute("UPDATE agent_runtime SET status = 'online', last_seen_at = now() - interval '1 hour'")?)
}

/// The result of a query with one boolean.
pub fn holds(client: &mut Client, query: &str) -> Result<bool> {
    Ok(client.query_one(query, &[])?.get(0))
}

/// Waits until a query with one boolean returns true.
pub fn wait_for(database: &Database, what: &str, query: &str) -> Result<()> {
    let mut client = database.connect()?;
    Cluster::wait_until(what, SOON, || holds(&mut client, query))
}

/// Waits until the worker has set every runtime of the database offline.
pub fn wait_until_swept(database: &Database) -> Result<()> {
    wait_for(
        database,
        &format!("{} is swept", database.name),
        "SELECT count(*) = 0 FROM agent_runtime WHERE status = 'online'",
    )
}

/// The process id of the launcher, once it runs.
pub fn launcher(cluster: &Cluster) -> Result<i32> {
    process(cluster, "multica launcher", "true")
}

/// The process id of a worker that is sweeping `database`, once one runs.
pub fn sweeping(database: &Database) -> Result<i32> {
    let there = format!("datname = '{}' AND query = 'sweeping' AND state = 'active'", database.name);
    process(database.cluster(), "multica worker", &there)
}

fn process(cluster: &Cluster, kind: &str, condition: &str) -> Result<i32> {
    let mut client = cluster.connect("postgres")?;
    let query = format!(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = '{kind}' AND application_name = '{kind}' AND {condition}"
    );
    let mut pid = 0;
    Cluster::wait_until(kind, SOON, || {
        let found = client.query_opt(&query, &[])?;
        pid = found.as_ref().map_or(0, |row| row.get(0));
        Ok(found.is_some())
    })?;
    Ok(pid)
}

/// How often the log of the server contains this text.
pub fn said(cluster: &Cluster, text: &str) -> Result<usize> {
    Ok(cluster.log()?.matches(text).count())
}

/// Fails unless the log contains each of these texts exactly once.
pub fn ensure_logged_once(cluster: &Cluster, texts: &[&str]) -> Result<()> {
    for text in texts {
        let times = said(cluster, text)?;
        ensure!(times == 1, "the log has {times} times: {text}");
    }
    Ok(())
}

//! Many databases and one worker. An error in one database is a line in the log, and the other databases are swept.

use anyhow::{Result, ensure};

use super::{
    SOON, alter, ensure_logged_once, fleet, holds, launcher, options, said, silence, sweeping, switch_on, ticking,
    wait_for, wait_until_swept,
};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;

/// A trigger refuses one task. Only that task is delayed, `multica_status()` returns its id, and a later sweep tries it
/// again.
pub fn refused_task_delays_only_itself(context: &Context) -> Result<()> {
    let cluster = ticking(context, "refused")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_refusal")?;
    switch_on(&database)?;
    silence(&database)?;
    wait_for(
        &database,
        "the other task is failed and has its retry",
        "SELECT EXISTS (SELECT FROM agent_task_queue WHERE parent_task_id = '00000000-0000-4000-8000-0000000000e1')",
    )?;
    wait_for(
        &database,
        "status names the refused task",
        "SELECT EXISTS (
             SELECT FROM multica_sweep_state
             WHERE refused_ids = '{00000000-0000-4000-8000-0000000000e2}' AND last_error LIKE '%e2 is not to be touched%23514%'
         )",
    )?;
    let mut client = database.connect()?;
    let is_unchanged =
        "SELECT status = 'dispatched' FROM agent_task_queue WHERE id = '00000000-0000-4000-8000-0000000000e2'";
    ensure!(holds(&mut client, is_unchanged)?, "the refused task was changed");
    let line = "skips 00000000-0000-4000-8000-0000000000e2 for a while";
    ensure!(said(&cluster, line)? > 0, "the log does not name the refused task");
    client.batch_execute(
        "DROP TRIGGER refuse ON agent_task_queue; UPDATE multica_sweep_state SET refused_until = now() - interval '1 s'",
    )?;
    wait_for(
        &database,
        "the refused task is failed",
        "SELECT status = 'failed' FROM agent_task_queue WHERE id = '00000000-0000-4000-8000-0000000000e2'",
    )
}

/// A full disk is not caused by a task. So no task is refused, and all are failed once there is space.
pub fn full_disk_refuses_no_task(context: &Context) -> Result<()> {
    let cluster = ticking(context, "full")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_full_disk")?;
    switch_on(&database)?;
    silence(&database)?;
    wait_for(
        &database,
        "status reports the full disk",
        "SELECT EXISTS (SELECT FROM multica_sweep_state WHERE last_error LIKE '%no room%53100%')",
    )?;
    let mut client = database.connect()?;
    ensure!(
        holds(&mut client, "SELECT COALESCE(cardinality(refused_ids), 0) = 0 FROM multica_sweep_state")?,
        "a task was refused"
    );
    client.batch_execute("DROP TRIGGER find_no_room ON agent_task_queue")?;
    wait_for(
        &database,
        "every task of the stale runtimes is failed",
        "SELECT count(*) = 0 FROM agent_task_queue WHERE status IN ('dispatched', 'running')",
    )
}

/// The sweep finds refused tasks among many by halving, and fails all others.
pub fn refused_tasks_among_many_delay_only_themselves(context: &Context) -> Result<()> {
    let cluster = ticking(context, "many")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_many_refusals")?;
    switch_on(&database)?;
    wait_for(
        &database,
        "all but the refused tasks are failed",
        "SELECT count(*) = 0 FROM agent_task_queue WHERE status IN ('dispatched', 'running') AND priority <> 42",
    )?;
    wait_for(
        &database,
        "status names the refused tasks, and no others",
        "SELECT EXISTS (
             SELECT
             FROM multica_sweep_state AS s,
                 (SELECT array_agg(id) AS ids FROM agent_task_queue WHERE priority = 42 AND status = 'running') AS t
             WHERE s.refused_ids @> t.ids AND s.refused_ids <@ t.ids AND cardinality(s.refused_ids) = 3
         )",
    )
}

/// An error in one database is logged, and the launcher waits longer and longer before it sweeps that database again;
/// the other is swept as usual.
pub fn error_in_one_database_does_not_stop_others(context: &Context) -> Result<()> {
    let cluster = ticking(context, "error")?;
    let (broken, sound) = (fleet(context, &cluster)?, fleet(context, &cluster)?);
    broken.connect()?.batch_execute("DROP TABLE multica_event_log")?;
    let before = launcher(&cluster)?;
    for database in [&broken, &sound] {
        switch_on(database)?;
        silence(database)?;
    }
    let line = format!("database \"{}\": the tables of multica are missing", broken.name);
    Cluster::wait_until("the error is logged", SOON, || Ok(said(&cluster, &line)? > 0))?;
    for _ in 0..10 {
        silence(&sound)?;
        wait_until_swept(&sound)?;
    }
    let is_recorded =
        "SELECT EXISTS (SELECT FROM multica_sweep_state WHERE last_error LIKE '%missing%(SQLSTATE 55000)%')";
    wait_for(&broken, "the error is recorded", is_recorded)?;
    ensure!(launcher(&cluster)? == before, "the launcher was restarted");
    Ok(())
}

/// The server has a database without the extension, one without the tables, one that is dropped between two ticks, and
/// one with an invalid setting. Each causes one line in the log, and a database without such a problem is swept as
/// usual.
pub fn unsweepable_database_is_logged_once(context: &Context) -> Result<()> {
    let cluster = context.cluster(&options("unswept").set("shared_preload_libraries", ""))?;
    let sound = fleet(context, &cluster)?;
    let bare = context.empty_database_in(&cluster)?;
    let tableless = context.empty_database_in(&cluster)?;
    tableless.connect()?.batch_execute("CREATE EXTENSION multica")?;
    let misspelt = fleet(context, &cluster)?;
    let dropped = context.empty_database_in(&cluster)?;
    for database in [&sound, &bare, &tableless, &dropped] {
        switch_on(database)?;
    }
    // Postgres accepts the value because the library is not loaded.
    alter(&misspelt, "SET multica.sweep = 'maybe'")?;
    silence(&misspelt)?;
    let mut client = cluster.connect("postgres")?;
    client.batch_execute("ALTER SYSTEM SET shared_preload_libraries = 'multica'")?;
    cluster.restart()?;
    let before = launcher(&cluster)?;
    let lines = [
        format!("database \"{}\" is not swept: the extension is missing", bare.name),
        format!("database \"{}\" is not swept: the extension is missing", dropped.name),
        format!("database \"{}\" is not swept: the tables are missing", tableless.name),
        format!("database \"{}\" has multica.sweep = 'maybe'", misspelt.name),
    ];
    for line in &lines {
        Cluster::wait_until(line, SOON, || Ok(said(&cluster, line)? > 0))?;
    }
    drop(dropped);
    for _ in 0..5 {
        silence(&sound)?;
        wait_until_swept(&sound)?;
    }
    ensure_logged_once(&cluster, &lines.each_ref().map(String::as_str))?;
    let alive = "SELECT bool_and(status = 'online') FROM agent_runtime";
    ensure!(holds(&mut misspelt.connect()?, alive)?, "'maybe' counts as on");
    ensure!(launcher(&cluster)? == before, "the launcher was restarted");
    bare.connect()?.batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install()")?;
    bare.fixture("fleet")?;
    silence(&bare)?;
    wait_until_swept(&bare)
}

/// Workers leave a database often enough that it can be copied and dropped while a backlog of a minute is swept.
pub fn database_can_be_copied_and_dropped_during_backlog(context: &Context) -> Result<()> {
    let cluster = ticking(context, "leave")?;
    let database: Database = fleet(context, &cluster)?;
    database.fixture("worker_backlog")?;
    switch_on(&database)?;
    let mut client = cluster.connect("postgres")?;
    sweeping(&database)?;
    client.batch_execute(&format!("CREATE DATABASE copied TEMPLATE {}", database.name))?;
    sweeping(&database)?;
    client.batch_execute(&format!("DROP DATABASE {}", database.name))?;
    client.batch_execute("DROP DATABASE copied")?;
    Ok(())
}

/// Two workers never sweep one database at once: while another session has the lock of the database, a worker exits.
pub fn second_worker_of_database_exits(context: &Context) -> Result<()> {
    let cluster = ticking(context, "lock")?;
    let (held, sound) = (fleet(context, &cluster)?, fleet(context, &cluster)?);
    let mut holder = held.connect()?;
    holder.batch_execute("SELECT pg_advisory_lock(1836411769, 1)")?;
    for database in [&held, &sound] {
        switch_on(database)?;
        silence(database)?;
    }
    for _ in 0..5 {
        silence(&sound)?;
        wait_until_swept(&sound)?;
    }
    let alive = "SELECT bool_and(status = 'online') FROM agent_runtime";
    ensure!(holds(&mut holder, alive)?, "two workers swept it at once");
    drop(holder);
    wait_until_swept(&held)
}

/// A trigger that ignores a cancel keeps the only worker from other databases for a limited time.
pub fn worker_over_time_limit_is_terminated(context: &Context) -> Result<()> {
    let options = options("overstay").set("multica.max_workers", "1");
    let cluster = context.cluster(&options)?;
    let (stubborn, sound) = (fleet(context, &cluster)?, fleet(context, &cluster)?);
    stubborn.fixture("worker_stubborn")?;
    switch_on(&stubborn)?;
    silence(&stubborn)?;
    sweeping(&stubborn)?;
    switch_on(&sound)?;
    silence(&sound)?;
    wait_until_swept(&sound)?;
    let line = format!("database \"{}\" exceeded its time limit", stubborn.name);
    ensure!(said(&cluster, &line)? > 0, "the log does not report the time limit");
    Ok(())
}

/// If the server has no free slot for a worker, the launcher logs it and tries again at the next tick.
pub fn missing_worker_slot_is_logged(context: &Context) -> Result<()> {
    // The launcher and the logical replication launcher of Postgres each have one slot.
    let cluster = context.cluster(&options("slots").set("max_worker_processes", "2"))?;
    let database = fleet(context, &cluster)?;
    let before = launcher(&cluster)?;
    switch_on(&database)?;
    Cluster::wait_until("the launcher has logged it twice", SOON, || {
        Ok(said(&cluster, "no background worker could be started")? >= 2)
    })?;
    ensure!(launcher(&cluster)? == before, "the launcher was restarted");
    Ok(())
}

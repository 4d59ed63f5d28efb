//! The launcher stays connected to no database. So no database has to exist, each can be renamed, copied or dropped,
//! and the launcher reads the settings of databases in any database that accepts connections.

use std::fs;

use anyhow::{Result, ensure};
use postgres::Client;

use super::{
    SOON, ensure_logged_once, fleet, launcher, options, said, silence, switch_on, ticking, wait_for, wait_until_swept,
};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;

const PROCESSES: &str = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'multica launcher'";

fn pid(client: &mut Client) -> Result<i32> {
    Ok(client.query_one(PROCESSES, &[])?.get(0))
}

fn sweep_again(database: &Database) -> Result<()> {
    for _ in 0..3 {
        silence(database)?;
        wait_until_swept(database)?;
    }
    Ok(())
}

/// Without a database `postgres` every database is swept, the launcher is not restarted, and the log of each launcher
/// names the setting once.
pub fn cluster_without_postgres_database_is_swept(context: &Context) -> Result<()> {
    let cluster = ticking(context, "without")?;
    let database = fleet(context, &cluster)?;
    switch_on(&database)?;
    let line = "multica.launcher_database is \"postgres\", which does not exist;";
    let mut client = database.connect()?;
    client.batch_execute("DROP DATABASE postgres")?;
    Cluster::wait_until("the log names the setting", SOON, || Ok(said(&cluster, line)? > 0))?;
    drop(client);
    cluster.restart()?;
    let mut client = database.connect()?;
    silence(&database)?;
    wait_until_swept(&database)?;
    let before = pid(&mut client)?;
    sweep_again(&database)?;
    ensure!(pid(&mut client)? == before, "the launcher was restarted");
    let times = said(&cluster, line)?;
    ensure!(times == 2, "two launchers logged {times} times: {line}");
    ensure!(said(&cluster, "FATAL:  database")? == 0, "a process failed");
    client.batch_execute("CREATE DATABASE postgres")?;
    Ok(())
}

/// While the launcher runs, its database can be renamed and used as a template, and a reload can name another one.
pub fn launcher_database_can_be_copied_and_renamed(context: &Context) -> Result<()> {
    let cluster = ticking(context, "free")?;
    let database = fleet(context, &cluster)?;
    switch_on(&database)?;
    silence(&database)?;
    wait_until_swept(&database)?;
    let before = launcher(&cluster)?;
    let mut client = database.connect()?;
    for copy in ["copied_1", "copied_2"] {
        client.batch_execute(&format!("CREATE DATABASE {copy} TEMPLATE postgres"))?;
    }
    client.batch_execute("ALTER DATABASE postgres RENAME TO renamed")?;
    sweep_again(&database)?;
    let gone = "multica.launcher_database is \"postgres\", which does not exist; \"renamed\" is used instead";
    ensure_logged_once(&cluster, &[gone])?;
    client.batch_execute("ALTER SYSTEM SET multica.launcher_database = 'copied_1'")?;
    cluster.reload()?;
    sweep_again(&database)?;
    client.batch_execute("DROP DATABASE copied_1")?;
    let dropped = "multica.launcher_database is \"copied_1\", which does not exist;";
    Cluster::wait_until("the log names the setting", SOON, || Ok(said(&cluster, dropped)? > 0))?;
    client.batch_execute("ALTER DATABASE renamed RENAME TO postgres")?;
    ensure!(launcher(&cluster)? == before, "the launcher was restarted");
    Ok(())
}

/// If all databases refuse connections, the launcher waits, and sweeps once one accepts them.
pub fn launcher_waits_for_connectable_database(context: &Context) -> Result<()> {
    let cluster = ticking(context, "closed")?;
    let database = fleet(context, &cluster)?;
    switch_on(&database)?;
    silence(&database)?;
    wait_until_swept(&database)?;
    let mut client = database.connect()?;
    let before = pid(&mut client)?;
    client.batch_execute("UPDATE pg_database SET datallowconn = false")?;
    let line = "multica.launcher_database is \"postgres\", which does not allow connections; no other database allows connections either";
    Cluster::wait_until("the launcher has logged it", SOON, || Ok(said(&cluster, line)? > 0))?;
    client.batch_execute("UPDATE pg_database SET datallowconn = datname <> 'template0'")?;
    silence(&database)?;
    wait_until_swept(&database)?;
    ensure_logged_once(&cluster, &[line])?;
    ensure!(pid(&mut client)? == before, "the launcher was restarted");
    Ok(())
}

/// If the settings reader cannot start in one database, it reads the settings in another, and tries the broken one
/// after longer and longer times.
pub fn broken_database_is_skipped(context: &Context) -> Result<()> {
    let options = options("broken").set("multica.launcher_database", "broken");
    let cluster = context.cluster(&options)?;
    let database = fleet(context, &cluster)?;
    let mut client = cluster.connect("postgres")?;
    client.batch_execute("CREATE DATABASE broken")?;
    let oid: u32 = client.query_one("SELECT oid FROM pg_database WHERE datname = 'broken'", &[])?.get(0);
    fs::remove_file(cluster.data().join(format!("base/{oid}/PG_VERSION")))?;
    switch_on(&database)?;
    sweep_again(&database)?;
    let line = "could not be read in database \"broken\"; multica.launcher_database can name another database";
    ensure!(said(&cluster, line)? > 0, "the log does not name the broken database");
    let before = said(&cluster, line)?;
    for _ in 0..3 {
        sweep_again(&database)?;
    }
    let after = said(&cluster, line)?;
    ensure!(after <= before + 3, "tried {} more times", after - before);
    Ok(())
}

/// A database that is locked, as during a copy, blocks the settings reader, but not the sweeps of other databases.
pub fn locked_database_delays_no_other_sweep(context: &Context) -> Result<()> {
    let cluster = ticking(context, "locked")?;
    let database = fleet(context, &cluster)?;
    switch_on(&database)?;
    silence(&database)?;
    wait_until_swept(&database)?;
    let mut client = database.connect()?;
    let mut renaming = client.transaction()?;
    renaming.batch_execute("ALTER DATABASE postgres RENAME TO renamed")?;
    wait_for(
        &database,
        "a reader waits for the lock",
        "SELECT EXISTS (SELECT FROM pg_locks WHERE classid = 'pg_database'::regclass AND NOT granted)",
    )?;
    silence(&database)?;
    wait_until_swept(&database)?;
    renaming.rollback()?;
    sweep_again(&database)
}

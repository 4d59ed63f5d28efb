//! Rows that are restored on another server, in another database, or at a later time.

use anyhow::Result;

use super::{IN_NEW_RANGE, send_heartbeat, set_offline, three_events};
use crate::cluster::{Cluster, Options, Shutdown};
use crate::context::Context;
use crate::database::Database;
use crate::suites::support::{dead_machine, expect, expect_state, value};

/// Runs the output of pg_dump for one database in another database of the same cluster.
fn restore(from: &Database, to: &Database, arguments: &[&str]) -> Result<()> {
    let cluster = from.cluster();
    let dump = [&["--data-only", "--dbname", &from.name], arguments].concat();
    let file = cluster.socket_folder().join(format!("{}.sql", to.name));
    std::fs::write(&file, cluster.run("pg_dump", &dump)?)?;
    let file = file.display().to_string();
    let psql = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &to.name, "-f", &file];
    cluster.run("psql", &psql)?;
    Ok(())
}

/// The database cannot know which events were trimmed before the dump or recorded after it.
pub fn restored_log_starts_new_id_range(context: &Context) -> Result<()> {
    let (old, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    client.batch_execute(
        "UPDATE multica_event_log SET created_at = now() - interval '8 days' WHERE id = 1; SELECT FROM multica_sweep();
         DELETE FROM multica_event_log WHERE id > 3; UPDATE multica_event_log SET created_at = now() - interval '2 hours'",
    )?;
    let (new, mut client) = dead_machine(context)?;
    restore(&old, &new, &["--table", "multica_event_log"])?;
    expect(&mut client, "SELECT event_log_trouble IS NOT NULL FROM multica_status()", "t")?;
    client.batch_execute(&set_offline("b1"))?;
    expect(&mut client, IN_NEW_RANGE, "t")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(3)", "1")?;
    expect(&mut client, "SELECT min(id) FROM multica_events(1)", "2")?;
    for lost in ["0", "4", "1000"] {
        expect_state(&mut client, &format!("SELECT FROM multica_events({lost})"), "55000")?;
    }
    Ok(())
}

/// `pg_restore --clean` into the dumped database loses the events from after the dump. Their ids are not used again.
pub fn restore_over_own_database_starts_new_id_range(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    let cluster = database.cluster();
    let file = cluster.socket_folder().join(format!("{}.dump", database.name));
    let file = file.display().to_string();
    cluster.run("pg_dump", &["-Fc", "-d", &database.name, "-f", &file])?;
    client.batch_execute(&set_offline("b1"))?;
    let lost = value(&mut client, "SELECT max(id) FROM multica_event_log")?;
    drop(client);
    cluster.run("pg_restore", &["--clean", "--if-exists", "-d", &database.name, &file])?;
    let mut client = database.connect()?;
    client.batch_execute(&set_offline("b1"))?;
    expect(&mut client, IN_NEW_RANGE, "t")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(3)", "1")?;
    expect_state(&mut client, &format!("SELECT FROM multica_events({lost})"), "55000")
}

/// Into an installed database whose sweeps were counted; all calls work afterwards.
pub fn data_only_restore_meets_no_conflicting_row(context: &Context) -> Result<()> {
    let (old, mut client) = dead_machine(context)?;
    client.batch_execute("SELECT FROM multica_sweep()")?;
    client.batch_execute("SELECT FROM multica_take_events('mirror', 2)")?;
    let last = value(&mut client, "SELECT max(id) FROM multica_event_log")?;
    let new = context.fresh_database()?;
    let mut client = new.connect()?;
    client.batch_execute("SELECT FROM multica_install(); SELECT FROM multica_sweep(); SELECT FROM multica_status()")?;
    restore(&old, &new, &["--disable-triggers"])?;
    client.batch_execute(&send_heartbeat("b1"))?;
    expect(&mut client, &format!("SELECT count(*) FROM multica_events({last})"), "1")?;
    expect(&mut client, "SELECT total_sweeps FROM multica_status()", "1")?;
    expect(&mut client, "SELECT min(id) FROM multica_take_events('mirror')", "3")
}

/// A template in which events were recorded; the ids of a copy of an empty one start at 1.
pub fn template_copy_starts_new_id_range(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    drop(client);
    let copy = Database::create(database.cluster(), &database.name, &context.fixtures())?;
    let mut there = copy.connect()?;
    there.batch_execute(&send_heartbeat("b2"))?;
    expect(&mut there, IN_NEW_RANGE, "t")?;
    expect(&mut there, "SELECT count(*) FROM multica_events(3)", "1")?;
    let mut client = database.connect()?;
    client.batch_execute(&send_heartbeat("b2"))?;
    expect(&mut client, "SELECT id FROM multica_events(3)", "4")?;
    // No copy has the events that the original recorded since.
    expect_state(&mut there, "SELECT FROM multica_events(4)", "55000")
}

/// A position among events that the old server recorded later, or had not sent, is no position of the new server.
pub fn promoted_standby_starts_new_id_range(context: &Context) -> Result<()> {
    let primary = context.cluster(&Options::new("primary"))?;
    let database = context.fresh_database_in(&primary)?;
    database.fixture("dead_machine")?;
    let mut client = database.connect()?;
    three_events(&mut client)?;
    client.batch_execute("SELECT FROM multica_take_events('mirror', 2)")?;
    let standby = primary.standby(&context.project, &Options::new("standby"))?;
    caught_up(&mut client)?;
    standby.promote()?;
    client.batch_execute(&set_offline("b1"))?;
    expect(&mut client, "SELECT id FROM multica_events(3)", "4")?;
    let mut there = standby.connect(&database.name)?;
    there.batch_execute(&send_heartbeat("b2"))?;
    expect(&mut there, IN_NEW_RANGE, "t")?;
    expect(&mut there, "SELECT count(*) FROM multica_take_events('mirror')", "2")?;
    for lost in ["4", "40"] {
        expect_state(&mut there, &format!("SELECT FROM multica_events({lost})"), "55000")?;
    }
    primary.stop(Shutdown::Immediate)?;
    Ok(())
}

fn caught_up(client: &mut postgres::Client) -> Result<()> {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn())";
    Cluster::wait_until("the standby has caught up", crate::suites::support::LIMIT, || Ok(value(client, sql)? == "t"))
}

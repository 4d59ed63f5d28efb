//! Tests of the harness itself: properties of clusters and databases that other suites need.

use anyhow::{Result, ensure};

use super::Suite;
use crate::cluster::Options;
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] =
    suite![fresh_databases_do_not_see_each_other, kill_keeps_committed_rows, standby_accepts_writes_after_promotion];

/// Two databases made from the template share no row.
pub fn fresh_databases_do_not_see_each_other(context: &Context) -> Result<()> {
    let (one, other) = (context.fresh_database()?, context.fresh_database()?);
    one.fixture("fleet")?;
    let count = |client: &mut postgres::Client| -> Result<i64> {
        Ok(client.query_one("SELECT count(*) FROM agent_task_queue", &[])?.get(0))
    };
    ensure!(count(&mut one.connect()?)? > 0, "the fixture inserted no task");
    ensure!(count(&mut other.connect()?)? == 0, "the other database has tasks");
    Ok(())
}

/// After SIGKILL to all server processes a start recovers the committed rows and no others.
pub fn kill_keeps_committed_rows(context: &Context) -> Result<()> {
    let cluster = context.cluster(&Options::new("kill"))?;
    let mut client = cluster.connect("postgres")?;
    client.batch_execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")?;
    let mut transaction = client.transaction()?;
    transaction.batch_execute("INSERT INTO kept VALUES (2)")?;
    cluster.kill()?;
    ensure!(transaction.batch_execute("SELECT 1").is_err(), "the session survived the kill");
    drop(transaction);
    cluster.start()?;
    let kept: Vec<i32> =
        cluster.connect("postgres")?.query("SELECT id FROM kept", &[])?.iter().map(|row| row.get(0)).collect();
    ensure!(kept == [1], "found {kept:?}");
    ensure!(cluster.log()?.contains("automatic recovery in progress"), "the server started without recovery");
    Ok(())
}

/// A standby replays its primary, refuses writes, and accepts them after the promotion.
pub fn standby_accepts_writes_after_promotion(context: &Context) -> Result<()> {
    let primary = context.cluster(&Options::new("primary"))?;
    primary.connect("postgres")?.batch_execute("CREATE TABLE followed (id int)")?;
    let standby = primary.standby(&context.project, &Options::new("standby"))?;
    let write = "INSERT INTO followed VALUES (1)";
    ensure!(
        standby.connect("postgres")?.batch_execute(write).is_err(),
        "the standby accepted a write before its promotion"
    );
    standby.promote()?;
    standby.connect("postgres")?.batch_execute(write)?;
    Ok(())
}

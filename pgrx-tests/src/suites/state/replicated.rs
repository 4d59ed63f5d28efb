//! Logical replication copies rows, but no sequence.

use anyhow::{Result, ensure};
use postgres::Client;

use super::{IN_NEW_RANGE, send_heartbeat, set_offline, three_events};
use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::suites::install::support::{install, with_action};
use crate::suites::support::{LIMIT, expect, expect_state, id, value};

fn wait_for(client: &mut Client, what: &str, sql: &str) -> Result<()> {
    Cluster::wait_until(what, LIMIT, || Ok(value(client, sql)? == "t"))
}

/// The subscriber has installed tables. While the subscription writes into them, the subscriber records no event.
/// Afterwards all calls work.
pub fn subscriber_replaces_publisher(context: &Context) -> Result<()> {
    let logical = |name: &str| Options::new(name).set("wal_level", "logical");
    let blue = context.cluster(&logical("blue"))?;
    let old = context.fresh_database_in(&blue)?;
    old.fixture("dead_machine")?;
    let mut publisher = old.connect()?;
    three_events(&mut publisher)?;
    publisher.batch_execute(
        "SELECT FROM multica_sweep(); SELECT FROM multica_take_events('mirror', 2);
         CREATE PUBLICATION fleet FOR ALL TABLES",
    )?;
    let green = context.cluster(&logical("green"))?;
    let new = context.fresh_database_in(&green)?;
    let mut subscriber = new.connect()?;
    subscriber.batch_execute(&format!(
        "CREATE SUBSCRIPTION fleet CONNECTION 'host={} user=postgres dbname={}' PUBLICATION fleet",
        blue.socket_folder().display(),
        old.name
    ))?;
    wait_for(
        &mut subscriber,
        "the first copy",
        "SELECT count(*) > 10 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel",
    )?;
    publisher.batch_execute(&send_heartbeat("b2"))?;
    let last = value(&mut publisher, "SELECT max(id) FROM multica_event_log")?;
    wait_for(
        &mut subscriber,
        "the last event",
        &format!("SELECT EXISTS (SELECT FROM multica_event_log WHERE id = {last})"),
    )?;

    // A second subscription, of which no row comes.
    publisher.batch_execute(
        "CREATE PUBLICATION nothing FOR TABLE multica_event_log WHERE (false) WITH (publish = 'insert')",
    )?;
    subscriber.batch_execute(&format!(
        "CREATE SUBSCRIPTION \"Second\" CONNECTION 'host={} user=postgres dbname={}' PUBLICATION nothing WITH (copy_data = false, slot_name = second)",
        blue.socket_folder().display(),
        old.name
    ))?;
    for call in ["multica_events()", "multica_take_events('mirror')", &set_offline("b1")["SELECT ".len()..]] {
        expect_state(&mut subscriber, &format!("SELECT FROM {call}"), "55000")?;
    }
    expect(
        &mut subscriber,
        "SELECT event_log_trouble LIKE '%subscriptions \"Second\", fleet%' FROM multica_status()",
        "t",
    )?;
    let steps = install(&mut subscriber)?;
    ensure!(with_action(&steps, "missing") == ["multica_event_log_id_seq"], "{steps:?}");
    publisher.batch_execute(&set_offline("b2"))?;
    let last: i64 = value(&mut publisher, "SELECT max(id) FROM multica_event_log")?.parse()?;
    wait_for(
        &mut subscriber,
        "the next event",
        &format!("SELECT EXISTS (SELECT FROM multica_event_log WHERE id = {last})"),
    )?;

    let disable = value(
        &mut subscriber,
        "SELECT ddl FROM multica_install(dry_run => true) WHERE object = 'multica_event_log_id_seq'",
    )?;
    subscriber.batch_execute(&disable)?;
    subscriber.batch_execute("DROP SUBSCRIPTION fleet")?;
    subscriber.batch_execute("DROP SUBSCRIPTION \"Second\"")?;
    subscriber.batch_execute(&set_offline("b1"))?;
    expect(&mut subscriber, IN_NEW_RANGE, "t")?;
    expect(&mut subscriber, &format!("SELECT count(*) FROM multica_events({last})"), "1")?;
    expect_state(&mut subscriber, &format!("SELECT FROM multica_events({})", last + 1), "55000")?;
    expect(&mut subscriber, "SELECT min(id) FROM multica_take_events('mirror')", "3")?;
    let steps = install(&mut subscriber)?;
    ensure!(with_action(&steps, "adopted").len() == steps.len(), "{steps:?}");
    subscriber.batch_execute(&format!(
        "INSERT INTO issue (workspace_id, title, creator_type, creator_id) SELECT {}, 'moved', 'member', gen_random_uuid();
         SELECT FROM multica_sweep()",
        id("a1")
    ))?;
    Ok(())
}

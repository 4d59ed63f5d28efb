//! The event log: no event is lost or returned twice, and readers do not wait for transactions without events.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use postgres::fallible_iterator::FallibleIterator;

use super::Suite;
use super::support::{dead_machine, expect, expect_state, id, start, value, values};
use crate::cluster::Options;
use crate::context::Context;

/// Tests that depend on the locks of Postgres: of savepoints, of prepared transactions, of a killed server.
pub const ALL: &[(&str, Suite)] =
    suite![event_after_rolled_back_savepoint_holds_readers_back, committed_events_survive_server_kill];

/// Tests that depend on the positions of readers and on the log alone.
pub const AT_HOME: &[(&str, Suite)] = suite![
    one_notification_per_transaction_and_none_after_rollback,
    transaction_without_events_holds_no_reader_back,
    late_commit_of_a_lower_id_is_not_skipped,
    each_reader_gets_every_event_once,
    sessions_of_one_reader_share_no_event,
    position_before_trimmed_events_is_refused,
    named_reader_delays_trim_up_to_ten_retentions,
    reading_is_refused_above_read_committed_and_on_standby,
];

/// A call that records one event, because a runtime goes offline or comes online again.
fn event(runtime: &str, online: bool) -> String {
    let call = if online { "heartbeat" } else { "set_runtime_offline" };
    format!("SELECT multica_{call}({})", id(runtime))
}

const READ: &str = "SELECT id FROM multica_events()";

/// Three calls that record events in one transaction send one notification, whose payload is empty.
fn one_notification_per_transaction_and_none_after_rollback(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    let mut listener = database.connect()?;
    listener.batch_execute("LISTEN multica_events")?;
    let mut received = || -> Result<Vec<String>> {
        // The server sends pending notifications before the answer to a query.
        listener.simple_query("SELECT 1")?;
        let mut payloads = Vec::new();
        let mut pending = listener.notifications();
        let mut pending = pending.iter();
        while let Some(notification) = pending.next()? {
            payloads.push(format!("{}:{}", notification.channel(), notification.payload()));
        }
        Ok(payloads)
    };
    let three = [event("b1", false), event("b2", false), "SELECT * FROM multica_sweep()".to_string()].join(";");
    client.batch_execute(&format!("BEGIN; {three}; ROLLBACK"))?;
    ensure!(received()?.is_empty(), "a rolled back transaction sent a notification");
    client.batch_execute(&format!("BEGIN; {three}; COMMIT"))?;
    let payloads = received()?;
    ensure!(payloads == ["multica_events:"], "three calls in a transaction: {payloads:?}");
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    ensure!(received()?.is_empty(), "a sweep that did nothing sent a notification");
    client.batch_execute(&format!("SET multica.notify = off; {}", event("b1", true)))?;
    ensure!(received()?.is_empty(), "a session with multica.notify = off sent a notification");
    ensure!(values(&mut client, READ)?.len() > 3, "the calls recorded too few events");
    Ok(())
}

/// Three transactions are open: one without events in this database, one without events in a second database, and one
/// that recorded an event in the second database.
fn transaction_without_events_holds_no_reader_back(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    let (other_database, mut other_writer) = dead_machine(context)?;
    let (mut local_idle, mut other_idle) = (database.connect()?, other_database.connect()?);
    local_idle.batch_execute("BEGIN; UPDATE issue SET title = 'open' WHERE title = 'login'")?;
    other_idle.batch_execute("BEGIN; UPDATE issue SET title = 'open' WHERE title = 'login'")?;
    other_writer.batch_execute(&format!("BEGIN; {}", event("b1", false)))?;
    client.batch_execute(&event("b1", false))?;
    expect(&mut client, READ, "1")
}

/// The event with the higher id commits first: readers get it only after the event with the lower id has committed.
fn late_commit_of_a_lower_id_is_not_skipped(context: &Context) -> Result<()> {
    let (database, mut reader) = dead_machine(context)?;
    let (mut early, mut late) = (database.connect()?, database.connect()?);
    early.batch_execute(&event("b3", true))?;
    early.batch_execute(&format!("BEGIN; {}", event("b1", false)))?;
    late.batch_execute(&event("b2", false))?;
    expect(&mut reader, READ, "1")?;
    expect(&mut reader, "SELECT id FROM multica_take_events('mirror')", "1")?;
    early.batch_execute("COMMIT")?;
    expect(&mut reader, READ, "1\n2\n3")?;
    expect(&mut reader, "SELECT id FROM multica_take_events('mirror')", "2\n3")
}

/// ROLLBACK TO releases the lock that was taken inside the savepoint; the next event of the transaction takes it again.
/// A prepared transaction holds readers back like an open one.
fn event_after_rolled_back_savepoint_holds_readers_back(context: &Context) -> Result<()> {
    let (database, mut reader) = dead_machine(context)?;
    let (mut writer, mut other) = (database.connect()?, database.connect()?);
    writer.batch_execute(&format!(
        "SET multica.notify = off; BEGIN; SAVEPOINT s; {}; ROLLBACK TO s; {}",
        event("b1", false),
        event("b2", false)
    ))?;
    other.batch_execute(&event("b3", true))?;
    expect(&mut reader, READ, "")?;
    writer.batch_execute(&format!("PREPARE TRANSACTION '{}'", database.name))?;
    expect(&mut reader, READ, "")?;
    expect(
        &mut reader,
        "SELECT s.events_held, s.events_held_since = p.prepared
         FROM multica_status() AS s, pg_prepared_xacts AS p WHERE p.gid = current_database()",
        "2 t",
    )?;
    writer.batch_execute(&format!("COMMIT PREPARED '{}'", database.name))?;
    expect(&mut reader, READ, "2\n3")
}

/// A named reader, and a reader that keeps its own position. Events that were taken in a rolled back transaction are
/// returned again.
fn each_reader_gets_every_event_once(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    let all = values(&mut client, "SELECT id FROM multica_event_log ORDER BY id")?;
    ensure!(all.len() > 15, "{} events", all.len());
    let mut taken = Vec::new();
    while taken.len() <= all.len() {
        let take = "SELECT id FROM multica_take_events('mirror', 4)";
        let undone = values(&mut client, &format!("BEGIN; {take}; ROLLBACK"))?;
        let next = values(&mut client, take)?;
        ensure!(undone == next, "a rolled back take returned {undone:?}, and the next one {next:?}");
        ensure!(next.len() <= 4, "a take returned more than max_events");
        if next.is_empty() {
            break;
        }
        taken.extend(next);
    }
    ensure!(taken == all, "taken {taken:?} of {all:?}");
    let mut read: Vec<String> = Vec::new();
    while read.len() <= all.len() {
        let after = read.last().map_or("0", String::as_str);
        let next = values(&mut client, &format!("SELECT id FROM multica_events({after}, 7)"))?;
        if next.is_empty() {
            break;
        }
        read.extend(next);
    }
    ensure!(read == all, "read {read:?} of {all:?}");
    expect(&mut client, "SELECT multica_forget_reader('mirror'), multica_forget_reader('mirror')", "t f")?;
    expect(&mut client, "SELECT count(*) FROM multica_take_events('mirror')", &all.len().to_string())
}

/// Two sessions take events under the same name at the same time. The second waits for the first, and gets the
/// remaining events.
fn sessions_of_one_reader_share_no_event(context: &Context) -> Result<()> {
    let (database, mut one) = dead_machine(context)?;
    let mut observer = database.connect()?;
    one.batch_execute("SELECT * FROM multica_sweep()")?;
    let all: BTreeSet<String> = values(&mut one, READ)?.into_iter().collect();
    let take = "SELECT id FROM multica_take_events('mirror', 5)";
    let first = values(&mut one, &format!("BEGIN; {take}"))?;
    let other = start(
        &database,
        "CREATE TEMPORARY TABLE got AS SELECT id FROM multica_take_events('mirror', 1000);
                                  SELECT id FROM got",
    )?;
    other.wait_until_blocked(&mut observer)?;
    one.batch_execute("COMMIT")?;
    let rest: Vec<String> = other
        .finish()?
        .iter()
        .filter_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
            _ => None,
        })
        .collect();
    ensure!(first.len() == 5 && first.len() + rest.len() == all.len(), "{first:?} and {rest:?} of {all:?}");
    let together: BTreeSet<String> = first.into_iter().chain(rest).collect();
    ensure!(together == all, "{together:?} of {all:?}");
    Ok(())
}

/// A reader whose position is before the trimmed events gets an error. A reader whose position is after them does not.
fn position_before_trimmed_events_is_refused(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "SELECT * FROM multica_sweep(); SET multica.batch_size = 4;
         UPDATE multica_event_log SET created_at = now() - interval '8 days' WHERE id IN (1, 2, 3, 4, 5, 6, 9)",
    )?;
    let last = value(&mut client, "SELECT max(id) FROM multica_event_log")?;
    expect(&mut client, "SELECT more FROM multica_sweep()", "t")?;
    expect(&mut client, "SELECT min(id) FROM multica_event_log", "5")?;
    expect(&mut client, "SELECT more FROM multica_sweep()", "f")?;
    // Events 7 and 8 are too young to be trimmed. A trim ends at the first such event, so it keeps event 9 too.
    expect(&mut client, "SELECT min(id), max(id) FROM multica_event_log", &format!("7 {last}"))?;
    for after in ["0", "5"] {
        expect_state(&mut client, &format!("SELECT * FROM multica_events({after})"), "55000")?;
    }
    expect(&mut client, "SELECT min(id) FROM multica_events(6)", "7")?;
    expect(&mut client, "SELECT min(id) FROM multica_take_events('newcomer')", "7")
}

fn named_reader_delays_trim_up_to_ten_retentions(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    client.batch_execute(
        "SELECT * FROM multica_take_events('slow', 3);
         UPDATE multica_event_log SET created_at = now() - interval '69 days';
         SELECT * FROM multica_sweep()",
    )?;
    expect(&mut client, "SELECT min(id) FROM multica_event_log", "4")?;
    expect(&mut client, "SELECT id FROM multica_take_events('slow', 1)", "4")?;
    client.batch_execute(
        "UPDATE multica_event_log SET created_at = now() - interval '71 days' WHERE id <= 8;
         SELECT * FROM multica_sweep()",
    )?;
    expect(&mut client, "SELECT min(id) FROM multica_event_log", "9")?;
    expect_state(&mut client, "SELECT * FROM multica_take_events('slow', 1)", "55000")?;
    client.batch_execute("SELECT multica_forget_reader('slow')")?;
    expect(&mut client, "SELECT id FROM multica_take_events('slow', 1)", "9")?;
    client.batch_execute("SELECT multica_forget_reader('slow'); SELECT * FROM multica_sweep()")?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log", "0")
}

/// Above READ COMMITTED a snapshot is older than the locks, and a standby lacks the locks of the primary: events could
/// be skipped.
fn reading_is_refused_above_read_committed_and_on_standby(context: &Context) -> Result<()> {
    let primary = context.cluster(&Options::new("outbox"))?;
    let database = context.fresh_database_in(&primary)?;
    let mut client = database.connect()?;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        for call in ["multica_events()", "multica_take_events('mirror')"] {
            client.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}"))?;
            expect_state(&mut client, &format!("SELECT * FROM {call}"), "55000")?;
            client.batch_execute("ROLLBACK")?;
        }
    }
    let standby = primary.standby(&context.project, &Options::new("reader"))?;
    let mut on_standby = standby.connect(&database.name)?;
    for call in ["multica_events()", "multica_take_events('mirror')"] {
        expect_state(&mut on_standby, &format!("SELECT * FROM {call}"), "55000")?;
    }
    Ok(())
}

/// The server is killed after the commit, before any reader has read the events.
fn committed_events_survive_server_kill(context: &Context) -> Result<()> {
    let cluster = context.cluster(&Options::new("outbox"))?;
    let database = context.fresh_database_in(&cluster)?;
    database.fixture("dead_machine")?;
    let mut client = database.connect()?;
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    let recorded = "SELECT count(*), count(DISTINCT payload ->> 'sweep_id') FROM multica_event_log";
    let before = value(&mut client, recorded)?;
    cluster.kill()?;
    cluster.start()?;
    let mut client = database.connect()?;
    expect(&mut client, recorded, &before)?;
    expect(&mut client, "SELECT count(*) || ' 1' FROM multica_take_events('late')", &before)
}

//! The outbox: nothing is lost, nothing comes twice, nobody waits for somebody who recorded nothing.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use postgres::fallible_iterator::FallibleIterator;

use super::Suite;
use super::support::{dead_machine, expect, expect_state, id, start, value, values};
use crate::cluster::Options;
use crate::context::Context;

/// What depends on the locks of Postgres: of savepoints, of prepared transactions, of a server that was killed.
pub const ALL: &[(&str, Suite)] =
    suite![event_after_rolled_back_savepoint_holds_readers_back, committed_events_survive_server_kill,];

/// What the positions of readers and the log decide.
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

/// A call that records one event: a runtime says good-bye or comes back.
fn event(runtime: &str, back: bool) -> String {
    let call = if back { "heartbeat" } else { "set_runtime_offline" };
    format!("SELECT multica_{call}({})", id(runtime))
}

const SEEN: &str = "SELECT id FROM multica_events()";

/// Three calls that record something make one notification, whose payload is empty.
fn one_notification_per_transaction_and_none_after_rollback(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    let mut listener = database.connect()?;
    listener.batch_execute("LISTEN multica_events")?;
    let mut heard = || -> Result<Vec<String>> {
        // Whatever was sent before has arrived once the server has answered.
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
    ensure!(heard()?.is_empty(), "a rolled back transaction notifies");
    client.batch_execute(&format!("BEGIN; {three}; COMMIT"))?;
    let payloads = heard()?;
    ensure!(payloads == ["multica_events:"], "three calls in a transaction: {payloads:?}");
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    ensure!(heard()?.is_empty(), "a sweep that did nothing notifies");
    client.batch_execute(&format!("SET multica.notify = off; {}", event("b1", true)))?;
    ensure!(heard()?.is_empty(), "multica.notify = off notifies");
    ensure!(values(&mut client, SEEN)?.len() > 3, "the events are there");
    Ok(())
}

/// Open transactions with a transaction id, in this database and another, and one that recorded events in another.
fn transaction_without_events_holds_no_reader_back(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    let (elsewhere, mut foreign) = dead_machine(context)?;
    let (mut here, mut idle) = (database.connect()?, elsewhere.connect()?);
    here.batch_execute("BEGIN; UPDATE issue SET title = 'open' WHERE title = 'login'")?;
    idle.batch_execute("BEGIN; UPDATE issue SET title = 'open' WHERE title = 'login'")?;
    foreign.batch_execute(&format!("BEGIN; {}", event("b1", false)))?;
    client.batch_execute(&event("b1", false))?;
    expect(&mut client, SEEN, "1")
}

/// A lower id that commits after a higher one is delivered first, and nothing before it is known.
fn late_commit_of_a_lower_id_is_not_skipped(context: &Context) -> Result<()> {
    let (database, mut reader) = dead_machine(context)?;
    let (mut early, mut late) = (database.connect()?, database.connect()?);
    early.batch_execute(&event("b3", true))?;
    early.batch_execute(&format!("BEGIN; {}", event("b1", false)))?;
    late.batch_execute(&event("b2", false))?;
    expect(&mut reader, SEEN, "1")?;
    expect(&mut reader, "SELECT id FROM multica_take_events('mirror')", "1")?;
    early.batch_execute("COMMIT")?;
    expect(&mut reader, SEEN, "1\n2\n3")?;
    expect(&mut reader, "SELECT id FROM multica_take_events('mirror')", "2\n3")
}

/// The lock taken inside a savepoint goes with it; the next event of the transaction takes it anew. A prepared
/// transaction holds readers back like an open one.
fn event_after_rolled_back_savepoint_holds_readers_back(context: &Context) -> Result<()> {
    let (database, mut reader) = dead_machine(context)?;
    let (mut writer, mut other) = (database.connect()?, database.connect()?);
    writer.batch_execute(&format!(
        "SET multica.notify = off; BEGIN; SAVEPOINT s; {}; ROLLBACK TO s; {}",
        event("b1", false),
        event("b2", false)
    ))?;
    other.batch_execute(&event("b3", true))?;
    expect(&mut reader, SEEN, "")?;
    writer.batch_execute(&format!("PREPARE TRANSACTION '{}'", database.name))?;
    expect(&mut reader, SEEN, "")?;
    expect(
        &mut reader,
        "SELECT s.events_held, s.events_held_since = p.prepared
         FROM multica_status() AS s, pg_prepared_xacts AS p WHERE p.gid = current_database()",
        "2 t",
    )?;
    writer.batch_execute(&format!("COMMIT PREPARED '{}'", database.name))?;
    expect(&mut reader, SEEN, "2\n3")
}

/// One takes by name, the other remembers by itself; what is taken in a rolled back transaction comes again.
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
        ensure!(undone == next, "a rolled back take gave {undone:?}, then came {next:?}");
        ensure!(next.len() <= 4, "max_events bounds a take");
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

fn sessions_of_one_reader_share_no_event(context: &Context) -> Result<()> {
    let (database, mut one) = dead_machine(context)?;
    let mut observer = database.connect()?;
    one.batch_execute("SELECT * FROM multica_sweep()")?;
    let all: BTreeSet<String> = values(&mut one, SEEN)?.into_iter().collect();
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

/// Who asks for what is no longer kept is told so, and how to go on; who is ahead of it notices nothing.
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
    // A younger one stands before the ninth: only a prefix goes.
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

/// Above READ COMMITTED and on a standby, whose locks are not those of the primary.
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
    let mut there = standby.connect(&database.name)?;
    for call in ["multica_events()", "multica_take_events('mirror')"] {
        expect_state(&mut there, &format!("SELECT * FROM {call}"), "55000")?;
    }
    Ok(())
}

/// The server dies right after the commit, before anybody has read.
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

//! Readers of the events of one workspace: they get each of its events once, and the events of other workspaces neither
//! stop them nor make them slow.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{dead_machine, expect, expect_state, id, value, values};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    reader_of_workspace_gets_each_of_its_events_once,
    reader_of_workspace_moves_past_events_of_others,
    reader_of_workspace_waits_for_open_transaction,
    reader_of_workspace_continues_after_restart_of_log,
    reader_of_workspace_reads_its_events_only,
];

/// Records events of a workspace: with the numbers `from` to `to` as their types.
fn record(client: &mut Client, workspace: &str, from: i64, to: i64) -> Result<()> {
    client.batch_execute(&format!(
        "INSERT INTO multica_event_log (type, workspace_id, payload)
         SELECT n, {}, '{{}}' FROM generate_series({from}, {to}) AS n",
        id(workspace)
    ))?;
    Ok(())
}

/// Takes at most `most` events of workspace a1 as the reader `mine`.
fn take(most: i64) -> String {
    format!("SELECT type FROM multica_take_events('mine', {most}, {})", id("a1"))
}

/// The position of that reader.
const POSITION: &str = "SELECT last_id FROM multica_list_readers() WHERE reader = 'mine'";

/// Events of another workspace, and events without a workspace, are between its own. A call that returns `max_events`
/// does not move past the next one.
fn reader_of_workspace_gets_each_of_its_events_once(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    for n in 1..=5 {
        record(&mut client, "a1", n, n)?;
        record(&mut client, "a9", 100 * n, 100 * n + 3)?;
        client.batch_execute("INSERT INTO multica_event_log (type, payload) VALUES ('none', '{}')")?;
    }
    let own = format!("multica_events(workspace_id => {})", id("a1"));
    expect(&mut client, &format!("SELECT string_agg(type, ' ' ORDER BY id) FROM {own}"), "1 2 3 4 5")?;
    expect(&mut client, &format!("SELECT type FROM multica_events(8, 2, {})", id("a1")), "3\n4")?;
    expect(&mut client, &format!("SELECT count(*) FROM multica_events(workspace_id => {})", id("00")), "0")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(workspace_id => NULL)", "30")?;
    for expected in ["1\n2", "3\n4", "5", ""] {
        expect(&mut client, &take(2), expected)?;
    }
    expect(&mut client, POSITION, "30")?;
    record(&mut client, "a1", 6, 6)?;
    expect(&mut client, &format!("BEGIN; {}; ROLLBACK", take(2)), "6")?;
    expect(&mut client, &take(2), "6")
}

/// Without an event of its own the reader keeps no event from being trimmed, and is not behind.
fn reader_of_workspace_moves_past_events_of_others(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("SELECT FROM multica_sweep()")?;
    client.batch_execute(&take(1000))?;
    record(&mut client, "a9", 1, 20)?;
    expect(&mut client, &take(10), "")?;
    let last = value(&mut client, "SELECT max(id) FROM multica_event_log")?;
    expect(&mut client, "SELECT last_id, behind FROM multica_list_readers()", &format!("{last} 0"))?;
    client.batch_execute(
        "UPDATE multica_event_log SET created_at = now() - interval '8 days'; SELECT FROM multica_sweep()",
    )?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log", "0")?;
    record(&mut client, "a1", 7, 7)?;
    expect(&mut client, &take(10), "7")?;
    // A reader that stores its position itself is told that events may be missing.
    expect_state(&mut client, &format!("SELECT FROM multica_events(5, 10, {})", id("a1")), "55000")
}

/// Another workspace has an event with a higher id than one of the reader's workspace that is not committed yet.
fn reader_of_workspace_waits_for_open_transaction(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    let mut writer = database.connect()?;
    record(&mut client, "a9", 1, 3)?;
    writer.batch_execute(&format!("BEGIN; SELECT multica_set_runtime_offline({})", id("b1")))?;
    record(&mut client, "a9", 4, 6)?;
    expect(&mut client, &take(10), "")?;
    expect(&mut client, POSITION, "3")?;
    writer.batch_execute("COMMIT")?;
    expect(&mut client, &take(10), "daemon:register")?;
    expect(&mut client, POSITION, "7")
}

/// After a restart of the log no event has the ids before the new range, so none of them may be the position of a
/// reader.
fn reader_of_workspace_continues_after_restart_of_log(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    record(&mut client, "a9", 1, 3)?;
    expect(&mut client, &take(10), "")?;
    client.batch_execute("SELECT setval('multica_event_log_id_seq', 1)")?;
    let mut client = database.connect()?;
    client.batch_execute("SELECT FROM multica_install()")?;
    expect(&mut client, &take(10), "")?;
    expect(&mut client, POSITION, "3")?;
    record(&mut client, "a1", 1, 1)?;
    expect(&mut client, &take(10), "1")
}

/// The log was analyzed when all events were of one workspace, so the planner believes that nearly all still are.
fn reader_of_workspace_reads_its_events_only(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("ALTER TABLE multica_event_log SET (autovacuum_enabled = off)")?;
    record(&mut client, "a1", 1, 1000)?;
    client.batch_execute("ANALYZE multica_event_log")?;
    record(&mut client, "a9", 1, 50_000)?;
    record(&mut client, "a1", 1001, 1002)?;
    let calls =
        [format!("multica_events(1000, 10, {})", id("a1")), format!("multica_take_events('mine', 1003, {})", id("a1"))];
    for (call, most) in calls.iter().zip([20, 1020]) {
        let rows = values(
            &mut client,
            &format!(
                "BEGIN; SELECT count(*) FROM {call};
                 SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relid = 'multica_event_log'::regclass;
                 ROLLBACK"
            ),
        )?;
        let read: i64 = rows.last().context("the statistics have a row")?.parse()?;
        ensure!(read <= most, "{call} read {read} events");
    }
    Ok(())
}

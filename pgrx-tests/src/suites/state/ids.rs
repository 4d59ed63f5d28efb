//! Ids of events: a sequence that was set back, an emptied event log, a position of another event log.

use anyhow::{Result, ensure};

use super::{IN_NEW_RANGE, SET_SEQUENCE_BACK, send_heartbeat, set_offline, three_events};
use crate::context::Context;
use crate::suites::support::{dead_machine, expect, expect_state, start, value};

/// The first event of a new database session gets an id above all others; a reader at the last id misses no event, and
/// the trouble that status reports ends.
pub fn sequence_behind_rows_starts_new_id_range(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    client.batch_execute("SELECT FROM multica_take_events('mirror', 2)")?;
    client.batch_execute(SET_SEQUENCE_BACK)?;
    let mut client = database.connect()?;
    let trouble = "SELECT event_log_trouble IS NOT NULL FROM multica_status()";
    expect(&mut client, trouble, "t")?;
    expect(&mut client, "SELECT value FROM multica_metrics() WHERE name = 'multica_event_log_trouble'", "1")?;
    client.batch_execute(&send_heartbeat("b2"))?;
    expect(&mut client, IN_NEW_RANGE, "t")?;
    expect(&mut client, trouble, "f")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(3)", "1")?;
    expect(&mut client, "SELECT events_kept, slowest_reader_behind FROM multica_status()", "4 2")?;
    expect(&mut client, "SELECT behind FROM multica_list_readers()", "2")?;
    expect(&mut client, "SELECT count(*) FROM multica_take_events('mirror')", "2")?;
    let mut open = database.connect()?;
    open.batch_execute(&format!("BEGIN; {}", set_offline("b1")))?;
    expect(&mut client, "SELECT events_held, events_held_since IS NOT NULL FROM multica_status()", "1 t")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(3)", "1")?;
    open.batch_execute("ROLLBACK")?;
    // A position above the third event belongs to another event log.
    expect_state(&mut client, "SELECT FROM multica_events(4)", "55000")?;
    // A database session that has recorded events also detects that the sequence was set back.
    client.batch_execute(SET_SEQUENCE_BACK)?;
    let before = value(&mut client, "SELECT max(id) FROM multica_event_log")?;
    client.batch_execute(&set_offline("b2"))?;
    expect(&mut client, &format!("SELECT max(id) > {before} FROM multica_event_log"), "t")?;
    expect(&mut client, &format!("SELECT count(*) FROM multica_events({before})"), "1")
}

/// No event is recorded, and the error names the remedy: after it a new range of ids starts.
pub fn exhausted_sequence_is_a_table_conflict(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    for (end, call) in [("9223372036854775807", set_offline("b1")), ("9007199254740991", send_heartbeat("b1"))] {
        client.batch_execute(&format!("SELECT setval('multica_event_log_id_seq', {end})"))?;
        let error = client.batch_execute(&call).expect_err("there is no id left");
        let error = error.as_db_error().expect("the server's error");
        ensure!(error.constraint() == Some("table_conflict"), "{end}: {error:?}");
        client.batch_execute("SELECT setval('multica_event_log_id_seq', 1)")?;
        client.batch_execute(&call)?;
        expect(&mut client, IN_NEW_RANGE, "t")?;
    }
    Ok(())
}

/// The second session waits for the first, and finds that the new range has started.
pub fn two_sessions_start_one_new_id_range(context: &Context) -> Result<()> {
    let (database, mut first) = dead_machine(context)?;
    three_events(&mut first)?;
    first.batch_execute(SET_SEQUENCE_BACK)?;
    let mut observer = database.connect()?;
    first.batch_execute(&format!("BEGIN; {}", set_offline("b1")))?;
    let second = start(&database, &send_heartbeat("b2"))?;
    second.wait_until_blocked(&mut observer)?;
    first.batch_execute("COMMIT")?;
    second.finish()?;
    expect(
        &mut observer,
        "SELECT (SELECT count(*) FROM unnest(events_lost)), (SELECT count(*) FROM multica_events(3)) FROM multica_sweep_state",
        "1 2",
    )
}

/// The sequence keeps its new value although the transaction is rolled back; the next event records which ids were
/// skipped.
pub fn rolled_back_repair_leaves_no_unreported_gap(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    client.batch_execute(SET_SEQUENCE_BACK)?;
    client.batch_execute(&format!("BEGIN; {}; ROLLBACK", set_offline("b1")))?;
    client.batch_execute(&set_offline("b1"))?;
    expect(&mut client, IN_NEW_RANGE, "t")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(3)", "1")?;
    expect_state(&mut client, "SELECT FROM multica_events(100)", "55000")?;
    expect(&mut client, "SELECT events_kept FROM multica_status()", "4")
}

/// Positions of an event log that no longer exists are an error at once, and still after the same number of events were
/// recorded again.
pub fn position_beyond_the_last_id_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    expect_state(&mut client, "SELECT FROM multica_events(4)", "55000")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(3)", "0")?;
    client.batch_execute("SELECT FROM multica_take_events('mirror'); UPDATE multica_event_reader SET last_id = 5")?;
    // This database session has read the end of the event log before; a new session reads it anyway.
    expect_state(&mut client, "SELECT FROM multica_take_events('mirror')", "55000")?;
    for _ in 0..2 {
        client.batch_execute(&format!("{}; {}", set_offline("b1"), send_heartbeat("b1")))?;
    }
    expect_state(&mut client, "SELECT FROM multica_take_events('mirror')", "55000")?;
    client.batch_execute("SELECT multica_forget_reader('mirror')")?;
    expect(&mut client, "SELECT count(*) FROM multica_take_events('mirror')", "7")
}

/// The ids are restarted at 1, or not.
pub fn position_in_emptied_log_is_an_error(context: &Context) -> Result<()> {
    for how in
        ["TRUNCATE multica_event_log", "TRUNCATE multica_event_log RESTART IDENTITY", "DELETE FROM multica_event_log"]
    {
        let (_database, mut client) = dead_machine(context)?;
        three_events(&mut client)?;
        client.batch_execute("SELECT FROM multica_take_events('mirror', 2)")?;
        client.batch_execute(how)?;
        for call in ["multica_events(2)", "multica_take_events('mirror')"] {
            expect_state(&mut client, &format!("SELECT FROM {call}"), "55000")?;
        }
        for _ in 0..2 {
            client.batch_execute(&format!("{}; {}", set_offline("b1"), send_heartbeat("b1")))?;
        }
        for call in ["multica_events(2)", "multica_take_events('mirror')"] {
            expect_state(&mut client, &format!("SELECT FROM {call}"), "55000")?;
        }
        client.batch_execute("SELECT multica_forget_reader('mirror')")?;
        expect(&mut client, "SELECT count(*) FROM multica_take_events('mirror')", "4")?;
    }
    Ok(())
}

/// A role with the capability `daemon` may neither set the sequence nor read the event log. Its calls nevertheless
/// start a new range of ids.
pub fn daemon_can_record_when_sequence_is_behind_rows(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    let role = format!("daemon_{}", database.name);
    client.batch_execute(&format!(
        "CREATE ROLE {role} LOGIN; SELECT multica_grant('{role}', 'daemon'); {SET_SEQUENCE_BACK}"
    ))?;
    let mut daemon = database.connect_as(&role)?;
    daemon.batch_execute(&set_offline("b1"))?;
    expect(&mut daemon, "SELECT current_user = session_user", "t")?;
    expect_state(&mut daemon, SET_SEQUENCE_BACK, "42501")?;
    drop(daemon);
    expect(&mut client, IN_NEW_RANGE, "t")?;
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))?;
    Ok(())
}

/// The event log is emptied with its sequence, or dropped and installed again, and no named reader has a position: a
/// reader that keeps its own position gets an error.
pub fn position_in_recreated_log_is_an_error(context: &Context) -> Result<()> {
    for recreate in
        ["TRUNCATE multica_event_log RESTART IDENTITY", "DROP TABLE multica_event_log; SELECT FROM multica_install()"]
    {
        let (database, mut client) = dead_machine(context)?;
        three_events(&mut client)?;
        client.batch_execute(recreate)?;
        let mut client = database.connect()?;
        client.batch_execute(&send_heartbeat("b2"))?;
        expect(&mut client, IN_NEW_RANGE, "t")?;
        expect_state(&mut client, "SELECT FROM multica_events(3)", "55000")?;
        expect(&mut client, "SELECT count(*) FROM multica_events(0)", "1")?;
    }
    Ok(())
}

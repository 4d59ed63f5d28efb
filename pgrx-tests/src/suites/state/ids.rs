//! Ids of events: after a sequence that was set back, a log that was emptied, a position of another log.

use anyhow::{Result, ensure};

use super::{BEHIND, LEAPT, back, event, three_events};
use crate::context::Context;
use crate::suites::support::{dead_machine, expect, expect_state, start, value};

/// A new session goes on beyond every id; who had read everything misses nothing, and what status says comes and goes.
pub fn sequence_behind_rows_starts_new_id_range(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    client.batch_execute("SELECT FROM multica_take_events('mirror', 2)")?;
    client.batch_execute(BEHIND)?;
    let mut client = database.connect()?;
    let trouble = "SELECT event_log_trouble IS NOT NULL FROM multica_status()";
    expect(&mut client, trouble, "t")?;
    expect(&mut client, "SELECT value FROM multica_metrics() WHERE name = 'multica_event_log_trouble'", "1")?;
    client.batch_execute(&back("b2"))?;
    expect(&mut client, LEAPT, "t")?;
    expect(&mut client, trouble, "f")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(3)", "1")?;
    expect(&mut client, "SELECT events_kept, slowest_reader_behind FROM multica_status()", "4 2")?;
    expect(&mut client, "SELECT behind FROM multica_list_readers()", "2")?;
    expect(&mut client, "SELECT count(*) FROM multica_take_events('mirror')", "2")?;
    let mut open = database.connect()?;
    open.batch_execute(&format!("BEGIN; {}", event("b1")))?;
    expect(&mut client, "SELECT events_held, events_held_since IS NOT NULL FROM multica_status()", "1 t")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(3)", "1")?;
    open.batch_execute("ROLLBACK")?;
    // Whatever was read beyond the third was of another log.
    expect_state(&mut client, "SELECT FROM multica_events(4)", "55000")?;
    // A session that had recorded before notices as well that the sequence moved back.
    client.batch_execute(BEHIND)?;
    let before = value(&mut client, "SELECT max(id) FROM multica_event_log")?;
    client.batch_execute(&event("b2"))?;
    expect(&mut client, &format!("SELECT max(id) > {before} FROM multica_event_log"), "t")?;
    expect(&mut client, &format!("SELECT count(*) FROM multica_events({before})"), "1")
}

/// Nothing is recorded, and the error says how the log goes on.
pub fn exhausted_sequence_is_a_table_conflict(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    for (end, call) in [("9223372036854775807", event("b1")), ("9007199254740991", back("b1"))] {
        client.batch_execute(&format!("SELECT setval('multica_event_log_id_seq', {end})"))?;
        let error = client.batch_execute(&call).expect_err("there is no id left");
        let error = error.as_db_error().expect("the server's error");
        ensure!(error.constraint() == Some("table_conflict"), "{end}: {error:?}");
        client.batch_execute("SELECT setval('multica_event_log_id_seq', 1)")?;
        client.batch_execute(&call)?;
        expect(&mut client, LEAPT, "t")?;
    }
    Ok(())
}

/// The second waits for the first, and finds that all is done.
pub fn two_sessions_start_one_new_id_range(context: &Context) -> Result<()> {
    let (database, mut first) = dead_machine(context)?;
    three_events(&mut first)?;
    first.batch_execute(BEHIND)?;
    let mut observer = database.connect()?;
    first.batch_execute(&format!("BEGIN; {}", event("b1")))?;
    let second = start(&database, &back("b2"))?;
    second.wait_until_blocked(&mut observer)?;
    first.batch_execute("COMMIT")?;
    second.finish()?;
    expect(
        &mut observer,
        "SELECT (SELECT count(*) FROM unnest(events_lost)), (SELECT count(*) FROM multica_events(3)) FROM multica_sweep_state",
        "1 2",
    )
}

/// The sequence has moved although the transaction is undone; what it leapt over is known after the next one.
pub fn rolled_back_repair_leaves_no_unreported_gap(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    client.batch_execute(BEHIND)?;
    client.batch_execute(&format!("BEGIN; {}; ROLLBACK", event("b1")))?;
    client.batch_execute(&event("b1"))?;
    expect(&mut client, LEAPT, "t")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(3)", "1")?;
    expect_state(&mut client, "SELECT FROM multica_events(100)", "55000")?;
    expect(&mut client, "SELECT events_kept FROM multica_status()", "4")
}

/// Ids of a log that is gone: an error at once, and still when as many events were recorded anew.
pub fn position_beyond_the_last_id_is_an_error(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    expect_state(&mut client, "SELECT FROM multica_events(4)", "55000")?;
    expect(&mut client, "SELECT count(*) FROM multica_events(3)", "0")?;
    client.batch_execute("SELECT FROM multica_take_events('mirror'); UPDATE multica_event_reader SET last_id = 5")?;
    // A session that has looked at the log before; a new one looks anyway.
    expect_state(&mut client, "SELECT FROM multica_take_events('mirror')", "55000")?;
    for _ in 0..2 {
        client.batch_execute(&format!("{}; {}", event("b1"), back("b1")))?;
    }
    expect_state(&mut client, "SELECT FROM multica_take_events('mirror')", "55000")?;
    client.batch_execute("SELECT multica_forget_reader('mirror')")?;
    expect(&mut client, "SELECT count(*) FROM multica_take_events('mirror')", "7")
}

/// With and without its ids beginning at 1 again.
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
            client.batch_execute(&format!("{}; {}", event("b1"), back("b1")))?;
        }
        for call in ["multica_events(2)", "multica_take_events('mirror')"] {
            expect_state(&mut client, &format!("SELECT FROM {call}"), "55000")?;
        }
        client.batch_execute("SELECT multica_forget_reader('mirror')")?;
        expect(&mut client, "SELECT count(*) FROM multica_take_events('mirror')", "4")?;
    }
    Ok(())
}

/// A daemon may neither set the sequence nor read the log: the log mends itself all the same.
pub fn daemon_can_record_when_sequence_is_behind_rows(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    three_events(&mut client)?;
    let role = format!("daemon_{}", database.name);
    client.batch_execute(&format!("CREATE ROLE {role} LOGIN; SELECT multica_grant('{role}', 'daemon'); {BEHIND}"))?;
    let mut daemon = database.connect_as(&role)?;
    daemon.batch_execute(&event("b1"))?;
    expect(&mut daemon, "SELECT current_user = session_user", "t")?;
    expect_state(&mut daemon, BEHIND, "42501")?;
    drop(daemon);
    expect(&mut client, LEAPT, "t")?;
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))?;
    Ok(())
}

/// Emptied with its sequence, or dropped and installed anew, where no reader of ours remembers an id: whoever keeps a
/// position of their own is told.
pub fn position_in_recreated_log_is_an_error(context: &Context) -> Result<()> {
    for made_again in
        ["TRUNCATE multica_event_log RESTART IDENTITY", "DROP TABLE multica_event_log; SELECT FROM multica_install()"]
    {
        let (database, mut client) = dead_machine(context)?;
        three_events(&mut client)?;
        client.batch_execute(made_again)?;
        let mut client = database.connect()?;
        client.batch_execute(&back("b2"))?;
        expect(&mut client, LEAPT, "t")?;
        expect_state(&mut client, "SELECT FROM multica_events(3)", "55000")?;
        expect(&mut client, "SELECT count(*) FROM multica_events(0)", "1")?;
    }
    Ok(())
}

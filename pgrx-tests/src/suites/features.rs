//! The server's migrations remove or add features while sessions are open. Every call must still work, without a
//! reconnect. The tests use a column that the server's migration 069 drops.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::grant::support::{CAPABILITIES, story, world};
use super::install::support::server;
use super::support::{expect, expect_state, id, start, team, value};
use crate::context::Context;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    calls_work_after_column_is_dropped,
    calls_work_on_adopted_tables,
    call_that_waits_for_alter_works,
    calls_in_older_snapshot_work,
    calls_work_after_alter_in_same_transaction,
    column_is_dropped_within_call,
    column_that_returns_is_written,
    table_that_appears_is_noticed,
    temporary_table_does_not_change_features,
    plans_of_former_features_are_freed,
    marks_name_existing_features,
];

const DROP: &str = "ALTER TABLE agent_task_queue DROP COLUMN last_heartbeat_at";
const ADD: &str = "ALTER TABLE agent_task_queue ADD COLUMN last_heartbeat_at timestamptz";

/// Returns a task in flight, and the call that writes the column.
fn in_flight(client: &mut Client) -> Result<(String, String)> {
    client.batch_execute(&format!("SELECT FROM multica_enqueue_issue({})", id("d1")))?;
    let task = value(client, &format!("SELECT id FROM multica_claim({})", id("b1")))?;
    client.batch_execute(&format!("SELECT FROM multica_start('{task}')"))?;
    let pin = format!("SELECT multica_pin_session('{task}', 's1', '/dir')");
    Ok((task, pin))
}

/// Returns a query of two values: whether the column was written, and the session that was pinned.
fn seen(task: &str) -> String {
    format!("SELECT last_heartbeat_at IS NOT NULL, session_id FROM multica_get_task('{task}')")
}

/// The session has called every function before, so its plans name the column.
fn calls_work_after_column_is_dropped(context: &Context) -> Result<()> {
    let database = world(context)?;
    let mut client = database.connect()?;
    let mut call_all = || -> Result<()> {
        for capability in CAPABILITIES {
            client.batch_execute(&format!("BEGIN; {} ROLLBACK", story(context, capability)?))?;
        }
        Ok(())
    };
    call_all()?;
    database.connect()?.batch_execute(DROP)?;
    call_all()?;
    // A session that begins now has never seen the column.
    let mut late = database.connect()?;
    late.batch_execute(&format!("BEGIN; {} ROLLBACK", story(context, "daemon")?))
        .map_err(|error| anyhow::anyhow!("a new session: {error:?}"))?;
    for call in ["SELECT FROM multica_sweep()", "SELECT FROM multica_status()", "CALL multica_sweep_all()"] {
        late.batch_execute(call)?;
    }
    // A grant of a capability must not name the dropped column.
    late.batch_execute("SELECT multica_grant('pg_monitor', 'daemon')")?;
    Ok(())
}

/// The tables are adopted from a server at migration 055. While a session is open, the server migrates to 069.
fn calls_work_on_adopted_tables(context: &Context) -> Result<()> {
    let database = server(context, "")?;
    let mut migrator = database.connect()?;
    migrator.batch_execute("SELECT FROM multica_install(); TRUNCATE workspace, \"user\" CASCADE")?;
    database.fixture("team")?;
    let mut client = database.connect()?;
    let (task, pin) = in_flight(&mut client)?;
    expect(&mut client, &pin, "t")?;
    expect(&mut client, &seen(&task), "t s1")?;
    migrator.batch_execute(DROP)?;
    expect(&mut client, &pin, "t")?;
    expect(&mut client, &seen(&task), "f s1")?;
    client.batch_execute(&format!("SELECT FROM multica_complete('{task}'); SELECT FROM multica_sweep()"))?;
    expect(&mut client, &pin, "f")
}

/// The call begins after the migration, waits for the table, and continues when the migration commits.
fn call_that_waits_for_alter_works(context: &Context) -> Result<()> {
    for is_first_call in [false, true] {
        let (database, mut client) = team(context)?;
        let (task, pin) = in_flight(&mut client)?;
        let mut observer = database.connect()?;
        let mut migrator = database.connect()?;
        if is_first_call {
            migrator.batch_execute(&format!("BEGIN; {DROP}"))?;
            let call = start(&database, &pin)?;
            call.wait_until_blocked(&mut observer)?;
            migrator.batch_execute("COMMIT")?;
            call.finish()?;
        } else {
            // The session has a plan that names the column.
            let call = format!("{pin}; SELECT pg_advisory_lock(9); {pin}");
            migrator.batch_execute("SELECT pg_advisory_lock(9)")?;
            let calls = start_in_steps(&database, &call)?;
            calls.wait_until_blocked(&mut observer)?;
            migrator.batch_execute(&format!("BEGIN; {DROP}; SELECT pg_advisory_unlock(9)"))?;
            calls.wait_until_blocked(&mut observer)?;
            migrator.batch_execute("COMMIT")?;
            calls.finish()?;
        }
        expect(&mut client, &seen(&task), "f s1")?;
    }
    Ok(())
}

/// Like [`start`], but each statement is a transaction, so the first statement keeps no lock.
fn start_in_steps(database: &crate::database::Database, sql: &str) -> Result<super::support::Running> {
    start(database, &sql.replace("; ", "; COMMIT; "))
}

/// The transaction's snapshot is older than the change, so a query of the catalogue in this transaction returns the
/// state before the change.
fn calls_in_older_snapshot_work(context: &Context) -> Result<()> {
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        for has_called in [false, true] {
            let (database, mut client) = team(context)?;
            let (task, pin) = in_flight(&mut client)?;
            let mut old = database.connect()?;
            if has_called {
                expect(&mut old, &pin, "t")?;
            }
            let begin = format!("BEGIN ISOLATION LEVEL {level}; SELECT FROM workspace");
            old.batch_execute(&begin)?;
            client.batch_execute(DROP)?;
            let columns = "SELECT count(*) FROM pg_attribute
                           WHERE attrelid = 'agent_task_queue'::regclass AND attname = 'last_heartbeat_at'";
            expect(&mut old, columns, "1")?;
            expect(&mut old, &pin, "t")?;
            expect(&mut old, &seen(&task), "f s1")?;
            old.batch_execute("COMMIT")?;
            // The other way round.
            old.batch_execute(&begin)?;
            client.batch_execute(ADD)?;
            expect(&mut old, columns, "0")?;
            expect(&mut old, &pin, "t")?;
            old.batch_execute("COMMIT")?;
            expect(&mut old, &seen(&task), "t s1")?;
        }
    }
    Ok(())
}

fn calls_work_after_alter_in_same_transaction(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let (task, pin) = in_flight(&mut client)?;
    expect(&mut client, &pin, "t")?;
    client.batch_execute(&format!("BEGIN; SAVEPOINT s; {DROP}"))?;
    expect(&mut client, &pin, "t")?;
    expect(&mut client, &seen(&task), "f s1")?;
    client.batch_execute("ROLLBACK TO s; UPDATE agent_task_queue SET last_heartbeat_at = NULL")?;
    expect(&mut client, &pin, "t")?;
    expect(&mut client, &seen(&task), "t s1")?;
    client.batch_execute("ROLLBACK")?;
    client.batch_execute("UPDATE agent_task_queue SET last_heartbeat_at = NULL")?;
    expect(&mut client, &pin, "t")?;
    expect(&mut client, &seen(&task), "t s1")
}

/// A claim reads the tasks and then sets the runtime online. At this point a user's trigger pins a session, drops the
/// column and pins the session again.
fn column_is_dropped_within_call(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let (task, pin) = in_flight(&mut client)?;
    expect(&mut client, &pin, "t")?;
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_issue({}); UPDATE agent_runtime SET status = 'offline', last_seen_at = '-infinity';
         CREATE FUNCTION migrate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             {pin_with_other}; {DROP}; {pin_with_other};
             RETURN NEW;
         END $$;
         CREATE TRIGGER migrate BEFORE UPDATE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION migrate()",
        id("d2"),
        pin_with_other = format!("PERFORM multica_pin_session('{task}', 's2', '/dir')"),
    ))?;
    let claim =
        format!("SELECT status, issue_id = {}, last_heartbeat_at IS NULL FROM multica_claim({})", id("d2"), id("b1"));
    expect(&mut client, &claim, "dispatched t t")?;
    expect(&mut client, &seen(&task), "f s2")
}

/// The column is dropped and added repeatedly. After each change, the session uses the right text.
fn column_that_returns_is_written(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let (task, pin) = in_flight(&mut client)?;
    let mut migrator = database.connect()?;
    for (change, written) in [(DROP, "f"), (ADD, "t"), (DROP, "f"), (ADD, "t")] {
        migrator.batch_execute(change)?;
        expect(&mut client, &pin, "t")?;
        expect(&mut client, &seen(&task), &format!("{written} s1"))?;
    }
    Ok(())
}

/// While the table has another name, calls fail. No table has the expected name then, so the session has no OID to
/// watch and must notice the name.
fn table_that_appears_is_noticed(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let (task, pin) = in_flight(&mut client)?;
    let mut migrator = database.connect()?;
    migrator.batch_execute("ALTER TABLE agent_task_queue RENAME TO moved")?;
    expect_state(&mut client, &pin, "55000")?;
    migrator.batch_execute("ALTER TABLE moved RENAME TO agent_task_queue")?;
    expect(&mut client, &pin, "t")?;
    expect(&mut client, &seen(&task), "t s1")
}

/// A temporary table of the session has the same name as a table of the extension.
fn temporary_table_does_not_change_features(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let (task, pin) = in_flight(&mut client)?;
    client.batch_execute("CREATE TEMP TABLE agent_task_queue (id uuid)")?;
    expect(&mut client, &pin, "t")?;
    expect(&mut client, &seen(&task), "t s1")
}

fn plans_of_former_features_are_freed(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let (_, pin) = in_flight(&mut client)?;
    let mut migrator = database.connect()?;
    let plans = "SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'SPI Plan'";
    let mut counts = Vec::new();
    for _change in 0..20 {
        for change in [DROP, ADD] {
            migrator.batch_execute(change)?;
            expect(&mut client, &pin, "t")?;
        }
        counts.push(value(&mut client, plans)?.parse::<u32>()?);
    }
    ensure!(counts.iter().all(|count| *count == counts[0] && *count > 0), "plans: {counts:?}");
    Ok(())
}

/// If a mark had another name, the first call that needs the statement would fail.
fn marks_name_existing_features(context: &Context) -> Result<()> {
    let declared = std::fs::read_to_string(context.project.root.join("src/lifecycle/features.rs"))?;
    let mut marks = 0;
    for (file, text) in context.project.sources("sql")? {
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["--", "feature" | "without" | "end", name] = words[..] {
                ensure!(declared.contains(&format!(" \"{name}\"")), "{file} names {name}, which is no feature");
                marks += 1;
            }
        }
    }
    ensure!(marks >= 2, "only {marks} marks were found");
    Ok(())
}

//! Races and crashes around tasks: one test per gap W7 to W19 of docs/internals/invariants.md.

mod claims;

use anyhow::{Result, ensure};

use super::Suite;
use super::support::{digest, expect, expect_state, hold_stop, id, start, team, terminate, value};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    concurrent_calls_reconcile_agent_status,
    failure_and_retry_commit_together,
    retry_of_chat_turn_precedes_later_turn,
    claims::concurrent_claims_respect_max_concurrent_tasks,
    claims::concurrent_claims_return_one_turn_per_chat,
    claims::redelivery_uses_up_no_attempt,
    claims::claim_cancels_foreign_task_in_its_transaction,
    refused_rerun_keeps_old_task,
    archived_agent_gets_no_task,
    task_is_queued_on_new_runtime_of_agent,
    autopilot_run_and_task_commit_together,
];

/// Stops a call after its write to each table and terminates its session there. The call must leave no changes.
fn expect_atomic_at_every_table(context: &Context, database: &Database, call: &str, tables: &[&str]) -> Result<()> {
    let mut client = database.connect()?;
    database.fixture("stop")?;
    let before = digest(context, database)?;
    for table in tables {
        client.batch_execute(&format!(
            "CREATE TRIGGER stop AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION stop_here()"
        ))?;
        let holder = hold_stop(database)?;
        let running = start(database, call)?;
        running.wait_until_blocked(&mut client)?;
        terminate(&mut client, running.pid)?;
        ensure!(running.finish().is_err(), "{call} succeeded although it was terminated at {table}");
        drop(holder);
        client.batch_execute(&format!("DROP TRIGGER stop ON {table}"))?;
        ensure!(digest(context, database)? == before, "{call} was terminated at {table} and left changes");
    }
    client.batch_execute(call)?;
    ensure!(digest(context, database)? != before, "{call} changed nothing");
    Ok(())
}

/// Concurrent calls for one agent must not leave it `working` with no task in flight (W7).
fn concurrent_calls_reconcile_agent_status(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let status = "SELECT status FROM agent WHERE name = 'Ada'";
    client.batch_execute("SELECT task('e1'), task('e2', status => 'running'), task('e3', status => 'running')")?;
    // Two tasks end at the same time. The second call must see that the first task has ended.
    client.batch_execute(&format!(
        "UPDATE agent SET status = 'working'; BEGIN; SELECT FROM multica_complete({})",
        id("e2")
    ))?;
    let other = start(&database, &format!("SELECT FROM multica_complete({})", id("e3")))?;
    other.wait_until_blocked(&mut database.connect()?)?;
    client.batch_execute("COMMIT")?;
    other.finish()?;
    expect(&mut client, status, "idle")?;
    // A task is cancelled while the transaction that claims it is still open.
    client.batch_execute(&format!("BEGIN; SELECT FROM multica_claim({})", id("b1")))?;
    let cancel = start(&database, &format!("SELECT FROM multica_cancel({})", id("e1")))?;
    cancel.wait_until_blocked(&mut database.connect()?)?;
    client.batch_execute("COMMIT")?;
    cancel.finish()?;
    expect(&mut client, status, "idle")
}

/// A failed task and its retry are one transaction (W8).
fn failure_and_retry_commit_together(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running'); UPDATE agent SET status = 'working';
         UPDATE agent_task_queue SET issue_id = {}",
        id("d1")
    ))?;
    let fail = format!("SELECT FROM multica_fail({}, 'x', 'timeout')", id("e1"));
    expect_atomic_at_every_table(context, &database, &fail, &["agent_task_queue", "agent", "multica_event_log"])?;
    expect(&mut client, "SELECT status, attempt FROM agent_task_queue ORDER BY attempt", "failed 1\nqueued 2")
}

/// The retry of a chat turn is claimed before a turn that was queued later (W8).
fn retry_of_chat_turn_precedes_later_turn(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let chat = format!("SELECT FROM multica_enqueue_chat({})", id("51"));
    client.batch_execute(&chat)?;
    let claim = format!("SELECT attempt FROM multica_claim({}, 5)", id("b1"));
    expect(&mut client, &claim, "1")?;
    client.batch_execute(&chat)?;
    client.batch_execute(
        "SELECT FROM agent_task_queue AS t, multica_fail(t.id, 'x', 'timeout') WHERE t.status = 'dispatched'",
    )?;
    expect(&mut client, &claim, "2")
}

/// A rerun cancels the old task and queues the new one in one transaction; a refused rerun does neither (W15).
fn refused_rerun_keeps_old_task(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running'); UPDATE agent_task_queue SET issue_id = {}",
        id("d1")
    ))?;
    let rerun = format!("SELECT FROM multica_rerun({})", id("d1"));
    client.batch_execute("UPDATE agent SET archived_at = now()")?;
    let before = digest(context, &database)?;
    expect_state(&mut client, &rerun, "55000")?;
    ensure!(digest(context, &database)? == before, "a refused rerun left changes");
    client.batch_execute("UPDATE agent SET archived_at = NULL; UPDATE agent SET status = 'working'")?;
    expect_atomic_at_every_table(context, &database, &rerun, &["agent_task_queue", "agent", "multica_event_log"])?;
    expect(&mut client, "SELECT status FROM agent_task_queue ORDER BY created_at", "cancelled\nqueued")
}

/// An enqueue that waits for the archiving of its agent must be refused (W17).
fn archived_agent_gets_no_task(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let enqueue = format!("SELECT FROM multica_enqueue_issue({})", id("d1"));
    client.batch_execute("BEGIN; UPDATE agent SET archived_at = now() WHERE name = 'Ada'")?;
    let late = start(&database, &enqueue)?;
    late.wait_until_blocked(&mut database.connect()?)?;
    client.batch_execute(&format!("SELECT FROM multica_cancel_agent_tasks({}); COMMIT", id("c1")))?;
    late.finish_with_state("55000")?;
    for call in [
        format!("multica_enqueue({})", id("c1")),
        format!("multica_enqueue_mention({}, {})", id("d1"), id("c1")),
        format!("multica_enqueue_chat({})", id("51")),
        format!("multica_enqueue_autopilot({})", id("71")),
        format!("multica_rerun({})", id("d1")),
    ] {
        expect_state(&mut client, &format!("SELECT FROM {call}"), "55000")?;
    }
    // A task that an application inserts by its own statement is never claimed.
    client.batch_execute("SELECT task('e1')")?;
    expect(&mut client, &format!("SELECT count(*) FROM multica_claim({})", id("b1")), "0")
}

/// An enqueue that waits while its agent is bound to another runtime must use the new runtime (W18).
fn task_is_queued_on_new_runtime_of_agent(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!("BEGIN; UPDATE agent SET runtime_id = {} WHERE name = 'Ada'", id("b2")))?;
    let calls = [
        format!("multica_enqueue_issue({})", id("d1")),
        format!("multica_enqueue_chat({})", id("51")),
        format!("multica_rerun({})", id("d2")),
    ];
    let mut late = Vec::new();
    for call in calls {
        late.push(start(&database, &format!("SELECT FROM {call}"))?);
    }
    let mut observer = database.connect()?;
    for call in &late {
        call.wait_until_blocked(&mut observer)?;
    }
    client.batch_execute("COMMIT")?;
    for call in late {
        call.finish()?;
    }
    let queued = value(
        &mut client,
        "SELECT string_agg(DISTINCT right(runtime_id::text, 2), ' '), count(*) FROM agent_task_queue",
    )?;
    ensure!(queued == "b2 3", "runtimes and number of queued tasks: {queued}");
    Ok(())
}

/// An autopilot run without an issue. The task and the link from the run to the task are one transaction, and a
/// repeated call returns the same task (W19).
fn autopilot_run_and_task_commit_together(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let enqueue = format!("SELECT FROM multica_enqueue_autopilot({})", id("71"));
    expect_atomic_at_every_table(
        context,
        &database,
        &enqueue,
        &["agent_task_queue", "autopilot_run", "multica_event_log"],
    )?;
    client.batch_execute(&enqueue)?;
    expect(
        &mut client,
        "SELECT r.task_id = t.id, t.status FROM agent_task_queue AS t JOIN autopilot_run AS r ON r.id = t.autopilot_run_id",
        "t queued",
    )
}

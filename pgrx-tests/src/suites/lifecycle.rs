//! The steps of a task, and the events that each step records in its transaction.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{digest, expect, id, team, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    each_step_records_its_events_in_order,
    consequences_are_recorded_after_their_cause,
    task_events_contain_the_task,
    rolled_back_step_leaves_nothing,
    unchanged_agent_status_records_no_event,
];

/// Returns the types of the events that a statement records, in their order.
fn recorded(client: &mut Client, sql: &str) -> Result<String> {
    let before = value(client, "SELECT COALESCE(max(id), 0) FROM multica_event_log")?;
    client.batch_execute(sql).with_context(|| sql.to_string())?;
    let types = format!("SELECT string_agg(type, ' ' ORDER BY id) FROM multica_event_log WHERE id > {before}");
    value(client, &types)
}

fn expect_events(client: &mut Client, sql: &str, expected: &str) -> Result<()> {
    let found = recorded(client, sql)?;
    ensure!(found == expected, "{sql}\nrecords {found:?}, not {expected:?}");
    Ok(())
}

/// Returns the one active task.
const ACTIVE: &str = "SELECT id FROM agent_task_queue WHERE status IN ('queued', 'dispatched', 'running')";

fn each_step_records_its_events_in_order(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let claim = format!("SELECT FROM multica_claim({})", id("b1"));
    let call = |name: &str| format!("SELECT FROM multica_{name}(({ACTIVE}))");
    for (enqueue, completed, failed) in [
        (format!("multica_enqueue({})", id("c1")), "task:completed agent:status", "task:failed agent:status"),
        (
            format!("multica_enqueue_issue({})", id("d1")),
            "task:completed agent:status",
            "task:failed issue:updated agent:status",
        ),
        (
            format!("multica_enqueue_mention({}, {})", id("d2"), id("c2")),
            "task:completed agent:status",
            "task:failed issue:updated agent:status",
        ),
        (
            format!("multica_enqueue_chat({})", id("51")),
            "task:completed chat:done agent:status",
            "task:failed agent:status",
        ),
        (
            format!("multica_enqueue_autopilot({})", id("71")),
            "task:completed autopilot:run_done agent:status",
            "task:failed autopilot:run_done agent:status",
        ),
    ] {
        let enqueue = format!("SELECT FROM {enqueue}");
        let reset_subjects = |client: &mut Client| {
            client.batch_execute(
                "UPDATE autopilot_run SET status = 'running', task_id = NULL; UPDATE issue SET status = 'in_progress'",
            )
        };
        expect_events(&mut client, &enqueue, "task:queued")?;
        expect_events(&mut client, &claim, "task:dispatch agent:status")?;
        expect_events(&mut client, &call("start"), "task:running")?;
        expect_events(&mut client, &format!("SELECT multica_pin_session(({ACTIVE}), 's')"), "")?;
        expect_events(&mut client, &call("complete"), completed)?;
        reset_subjects(&mut client)?;

        client.batch_execute(&enqueue)?;
        client.batch_execute(&claim)?;
        let fail = format!("SELECT FROM multica_fail(({ACTIVE}), 'x')");
        expect_events(&mut client, &fail, failed)?;
        reset_subjects(&mut client)?;

        client.batch_execute(&enqueue)?;
        client.batch_execute(&claim)?;
        let run_done = if enqueue.contains("autopilot") { " autopilot:run_done" } else { "" };
        expect_events(&mut client, &call("cancel"), &format!("task:cancelled{run_done} agent:status"))?;
        reset_subjects(&mut client)?;
    }

    // The event of a failure comes before that of its retry. A rerun records the events of cancelled tasks, then that of the
    // new task.
    client.batch_execute(&format!("SELECT FROM multica_enqueue_issue({})", id("d1")))?;
    client.batch_execute(&claim)?;
    let fail = format!("SELECT FROM multica_fail(({ACTIVE}), 'x', 'runtime_recovery')");
    expect_events(&mut client, &fail, "task:failed task:queued agent:status")?;
    client.batch_execute(&claim)?;
    let rerun = format!("SELECT FROM multica_rerun({})", id("d1"));
    expect_events(&mut client, &rerun, "task:cancelled agent:status task:queued")?;
    let cancel_all = format!("SELECT FROM multica_cancel_issue_tasks({})", id("d1"));
    expect_events(&mut client, &cancel_all, "task:cancelled")?;
    expect_events(&mut client, &cancel_all, "")
}

/// Calls that record some of their events in parts.
fn consequences_are_recorded_after_their_cause(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'running'); UPDATE agent SET status = 'working' WHERE name = 'Ada'",
    )?;
    let register = format!(
        r#"SELECT FROM multica_register({}, '{{"daemon_id": "machine-1", "recover": true, "runtimes": [{{"type": "claude"}}]}}')"#,
        id("a1")
    );
    expect_events(&mut client, &register, "daemon:register task:failed task:queued agent:status")?;
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET status = 'offline' WHERE id = {};
         SELECT task('e2', status => 'deferred'); UPDATE agent_task_queue SET fire_at = now() WHERE status = 'deferred'",
        id("b1")
    ))?;
    let claim = format!("SELECT FROM multica_claim({})", id("b1"));
    expect_events(&mut client, &claim, "daemon:register task:queued task:dispatch agent:status")?;
    client.batch_execute("UPDATE agent SET archived_at = now()")?;
    let delete = format!("SELECT FROM multica_delete_runtime({})", id("b1"));
    let events = recorded(&mut client, &delete)?;
    ensure!(events.starts_with("daemon:register task:"), "{delete}\nrecords {events}");
    let sweep = "UPDATE agent_runtime SET last_seen_at = now() - interval '1 hour' WHERE daemon_id = 'machine-9';
        UPDATE agent SET archived_at = NULL;
        SELECT FROM multica_enqueue((SELECT id FROM agent WHERE name = 'Zoe'), max_attempts => 1);
        UPDATE agent_task_queue SET status = 'running', dispatched_at = now(), started_at = now()
        WHERE status = 'queued'; UPDATE agent SET status = 'working'; SELECT FROM multica_sweep()";
    expect_events(&mut client, sweep, "task:queued daemon:register task:failed agent:status")?;
    Ok(())
}

fn task_events_contain_the_task(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_issue({}, context => '{{\"prompt\": \"go\", \"status\": \"mine\"}}');
         SELECT FROM multica_claim({}); SELECT FROM multica_fail(({ACTIVE}), repeat('x', 5000), 'timeout')",
        id("d1"),
        id("b1"),
    ))?;
    expect(
        &mut client,
        "SELECT type, payload ->> 'status', payload ->> 'attempt', payload ->> 'max_attempts', payload ->> 'prompt',
                right(workspace_id::text, 2), right(payload ->> 'runtime_id', 2), right(payload ->> 'issue_id', 2)
         FROM multica_event_log WHERE type LIKE 'task:%' ORDER BY id",
        "task:queued queued 1 2  a1 b1 d1\ntask:dispatch dispatched 1 2 go a1 b1 d1\ntask:failed failed 1 2  a1 b1 d1\n\
         task:queued queued 2 2  a1 b1 d1",
    )?;
    expect(
        &mut client,
        "SELECT e.payload ->> 'failure_reason', length(e.payload ->> 'error'), r.attempt, r.parent_task_id = t.id
         FROM multica_event_log AS e JOIN agent_task_queue AS t ON t.id::text = e.payload ->> 'task_id'
         JOIN agent_task_queue AS r ON r.id::text = e.payload ->> 'retry_task_id' WHERE e.type = 'task:failed'",
        "timeout 1000 2 t",
    )?;
    expect(
        &mut client,
        "SELECT payload -> 'agent' ->> 'status' FROM multica_event_log WHERE type = 'agent:status' ORDER BY id",
        "working\nidle",
    )
}

fn rolled_back_step_leaves_nothing(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_issue({}); SELECT FROM multica_enqueue_chat({}); SELECT FROM multica_enqueue_autopilot({});
         SELECT FROM multica_claim({}, 2)",
        id("d1"),
        id("51"),
        id("71"),
        id("b1"),
    ))?;
    let before = digest(context, &database)?;
    for call in [
        format!("multica_enqueue_issue({})", id("d2")),
        format!("multica_claim({}, 5)", id("b1")),
        "agent_task_queue AS t, multica_start(t.id) WHERE t.status = 'dispatched'".to_string(),
        "agent_task_queue AS t, multica_fail(t.id, 'x', 'timeout') WHERE t.status = 'dispatched'".to_string(),
        format!("multica_cancel_agent_tasks({})", id("c1")),
        format!("multica_rerun({})", id("d1")),
    ] {
        client.batch_execute(&format!("BEGIN; SELECT FROM {call}"))?;
        ensure!(!value(&mut client, "SELECT txid_current_if_assigned()")?.is_empty(), "{call} wrote nothing");
        client.batch_execute("ROLLBACK")?;
        ensure!(digest(context, &database)? == before, "{call} was rolled back and left changes");
    }
    Ok(())
}

fn unchanged_agent_status_records_no_event(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("SELECT task('e1'), task('e2'), task('e3')")?;
    let statuses = |client: &mut Client, sql: &str| -> Result<String> {
        let types = recorded(client, sql)?;
        Ok(types.split(' ').filter(|kind| *kind == "agent:status").count().to_string())
    };
    let claim = format!("SELECT FROM multica_claim({})", id("b1"));
    ensure!(statuses(&mut client, &claim)? == "1", "the first claim did not record agent:status once");
    ensure!(statuses(&mut client, &claim)? == "0", "a claim of a working agent recorded agent:status");
    ensure!(
        statuses(&mut client, &format!("SELECT FROM multica_cancel({})", id("e1")))? == "0",
        "a cancel recorded agent:status although tasks are in flight"
    );
    ensure!(
        statuses(&mut client, &format!("SELECT FROM multica_cancel({})", id("e3")))? == "0",
        "a cancel recorded agent:status although tasks are in flight"
    );
    ensure!(
        statuses(&mut client, &format!("SELECT FROM multica_cancel({})", id("e2")))? == "1",
        "the cancel of the last task did not record agent:status once"
    );
    client.batch_execute("UPDATE agent SET status = 'error'")?;
    expect(&mut client, &format!("SELECT multica_reconcile_agent({})", id("c1")), "idle")?;
    ensure!(
        statuses(&mut client, &format!("SELECT multica_reconcile_agent({})", id("c1")))? == "0",
        "a reconcile of an idle agent recorded agent:status"
    );
    Ok(())
}

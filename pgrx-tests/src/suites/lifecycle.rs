//! The steps of a task, with everything that goes with each in the same transaction.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{digest, expect, id, team, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = &[
    (
        "lifecycle/events_of_every_step_in_order",
        events_of_every_step_in_order,
    ),
    ("lifecycle/events_tell_the_task", events_tell_the_task),
    (
        "lifecycle/rolled_back_leaves_nothing",
        rolled_back_leaves_nothing,
    ),
    (
        "lifecycle/first_execution_is_stamped_once",
        first_execution_is_stamped_once,
    ),
    (
        "lifecycle/chat_points_to_its_last_turn",
        chat_points_to_its_last_turn,
    ),
    (
        "lifecycle/autopilot_run_follows_its_task",
        autopilot_run_follows_its_task,
    ),
    (
        "lifecycle/illegal_transitions_name_the_state",
        illegal_transitions_name_the_state,
    ),
    (
        "lifecycle/finalized_tasks_answer_and_do_not_change",
        finalized_tasks_answer_and_do_not_change,
    ),
    (
        "lifecycle/enqueue_takes_what_the_source_says",
        enqueue_takes_what_the_source_says,
    ),
    ("lifecycle/pending_task_coalesces", pending_task_coalesces),
    (
        "lifecycle/late_failure_makes_no_retry_beside_a_later_run",
        late_failure_makes_no_retry_beside_a_later_run,
    ),
    (
        "lifecycle/retry_is_not_lost_to_a_task_that_never_ran",
        retry_is_not_lost_to_a_task_that_never_ran,
    ),
    (
        "lifecycle/agent_is_reconciled_only_by_a_change",
        agent_is_reconciled_only_by_a_change,
    ),
];

/// The types of the events that a statement records, in their order.
fn recorded(client: &mut Client, sql: &str) -> Result<String> {
    let before = value(client, "SELECT COALESCE(max(id), 0) FROM multica_event_log")?;
    client.batch_execute(sql).with_context(|| sql.to_string())?;
    let types = format!(
        "SELECT string_agg(type, ' ' ORDER BY id) FROM multica_event_log WHERE id > {before}"
    );
    value(client, &types)
}

fn expect_events(client: &mut Client, sql: &str, expected: &str) -> Result<()> {
    let found = recorded(client, sql)?;
    ensure!(
        found == expected,
        "{sql}\nrecords {found:?}, not {expected:?}"
    );
    Ok(())
}

/// The one task in flight or waiting.
const ACTIVE: &str =
    "SELECT id FROM agent_task_queue WHERE status IN ('queued', 'dispatched', 'running')";

fn events_of_every_step_in_order(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let claim = format!("SELECT FROM multica_claim({})", id("b1"));
    let call = |name: &str| format!("SELECT FROM multica_{name}(({ACTIVE}))");
    for (enqueue, completed, failed) in [
        (
            format!("multica_enqueue({})", id("c1")),
            "agent:status task:completed",
            "task:failed agent:status",
        ),
        (
            format!("multica_enqueue_issue({})", id("d1")),
            "agent:status task:completed",
            "task:failed issue:updated agent:status",
        ),
        (
            format!("multica_enqueue_mention({}, {})", id("d2"), id("c2")),
            "agent:status task:completed",
            "task:failed issue:updated agent:status",
        ),
        (
            format!("multica_enqueue_chat({})", id("51")),
            "chat:done agent:status task:completed",
            "task:failed agent:status",
        ),
        (
            format!("multica_enqueue_autopilot({})", id("71")),
            "agent:status task:completed autopilot:run_done",
            "task:failed autopilot:run_done agent:status",
        ),
    ] {
        let enqueue = format!("SELECT FROM {enqueue}");
        let settle = |client: &mut Client| {
            client.batch_execute("UPDATE autopilot_run SET status = 'running', task_id = NULL; UPDATE issue SET status = 'in_progress'")
        };
        expect_events(&mut client, &enqueue, "task:queued")?;
        expect_events(&mut client, &claim, "agent:status task:dispatch")?;
        expect_events(&mut client, &call("start"), "")?;
        expect_events(
            &mut client,
            &format!("SELECT multica_pin_session(({ACTIVE}), 's')"),
            "",
        )?;
        expect_events(&mut client, &call("complete"), completed)?;
        settle(&mut client)?;

        client.batch_execute(&enqueue)?;
        client.batch_execute(&claim)?;
        let fail = format!("SELECT FROM multica_fail(({ACTIVE}), 'x')");
        expect_events(&mut client, &fail, failed)?;
        settle(&mut client)?;

        client.batch_execute(&enqueue)?;
        client.batch_execute(&claim)?;
        let run_done = if enqueue.contains("autopilot") {
            " autopilot:run_done"
        } else {
            ""
        };
        expect_events(
            &mut client,
            &call("cancel"),
            &format!("agent:status task:cancelled{run_done}"),
        )?;
        settle(&mut client)?;
    }

    // With a retry: its event comes before the failure that it answers. A rerun: what it cancels, then what it queues.
    client.batch_execute(&format!("SELECT FROM multica_enqueue_issue({})", id("d1")))?;
    client.batch_execute(&claim)?;
    let fail = format!("SELECT FROM multica_fail(({ACTIVE}), 'x', 'runtime_recovery')");
    expect_events(&mut client, &fail, "task:queued task:failed agent:status")?;
    client.batch_execute(&claim)?;
    let rerun = format!("SELECT FROM multica_rerun({})", id("d1"));
    expect_events(
        &mut client,
        &rerun,
        "agent:status task:cancelled task:queued",
    )?;
    let bulk = format!("SELECT FROM multica_cancel_issue_tasks({})", id("d1"));
    expect_events(&mut client, &bulk, "task:cancelled")?;
    expect_events(&mut client, &bulk, "")
}

fn events_tell_the_task(context: &Context) -> Result<()> {
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
        "task:queued queued 1 2  a1 b1 d1\ntask:dispatch dispatched 1 2 go a1 b1 d1\ntask:queued queued 2 2  a1 b1 d1\n\
         task:failed failed 1 2  a1 b1 d1",
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

fn rolled_back_leaves_nothing(context: &Context) -> Result<()> {
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
        "agent_task_queue AS t, multica_fail(t.id, 'x', 'timeout') WHERE t.status = 'dispatched'"
            .to_string(),
        format!("multica_cancel_agent_tasks({})", id("c1")),
        format!("multica_rerun({})", id("d1")),
    ] {
        client.batch_execute(&format!("BEGIN; SELECT FROM {call}"))?;
        ensure!(
            !value(&mut client, "SELECT txid_current_if_assigned()")?.is_empty(),
            "{call} writes"
        );
        client.batch_execute("ROLLBACK")?;
        ensure!(
            digest(context, &database)? == before,
            "{call} left something behind"
        );
    }
    Ok(())
}

fn first_execution_is_stamped_once(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let round = format!(
        "SELECT FROM multica_enqueue_issue({}); SELECT FROM multica_claim({}); SELECT FROM multica_start(({ACTIVE}))",
        id("d1"),
        id("b1")
    );
    let stamp = format!(
        "SELECT first_executed_at FROM issue WHERE id = {}",
        id("d1")
    );
    client.batch_execute(&round)?;
    ensure!(
        value(&mut client, &stamp)?.is_empty(),
        "starting is not having executed"
    );
    let task = value(&mut client, ACTIVE)?;
    let complete = format!("SELECT applied, first_execution FROM multica_complete('{task}')");
    expect(&mut client, &complete, "t t")?;
    let first = value(&mut client, &stamp)?;
    ensure!(!first.is_empty(), "stamped");
    expect(&mut client, &complete, "f f")?;
    client.batch_execute(&round)?;
    expect(
        &mut client,
        &format!("SELECT applied, first_execution FROM multica_complete(({ACTIVE}))"),
        "t f",
    )?;
    expect(&mut client, &stamp, &first)
}

fn chat_points_to_its_last_turn(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let pointer = format!(
        "SELECT session_id, work_dir FROM chat_session WHERE id = {}",
        id("51")
    );
    for (end, expected) in [
        (
            "multica_complete(({}), session_id => 'one', work_dir => '/one')",
            "one /one",
        ),
        (
            "multica_complete(({}), session_id => '', work_dir => '')",
            "one /one",
        ),
        ("multica_fail(({}), 'x', session_id => 'two')", "two /one"),
        ("multica_fail(({}), 'x', work_dir => '/two')", "two /two"),
        ("multica_complete(({}))", "two /two"),
    ] {
        client.batch_execute(&format!(
            "SELECT FROM multica_enqueue_chat({}); SELECT FROM multica_claim({}); SELECT FROM multica_start(({ACTIVE}));
             SELECT FROM {}",
            id("51"),
            id("b1"),
            end.replace("{}", ACTIVE)
        ))?;
        expect(&mut client, &pointer, expected)?;
    }
    // A turn that was cancelled while it waited has been nowhere.
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_chat({}); UPDATE agent_task_queue SET session_id = 'old' WHERE status = 'queued';
         SELECT FROM multica_cancel(({ACTIVE}))",
        id("51")
    ))?;
    expect(&mut client, &pointer, "two /two")
}

fn autopilot_run_follows_its_task(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let run = "SELECT status, result, failure_reason, completed_at IS NOT NULL FROM autopilot_run";
    for (end, expected) in [
        (
            "multica_complete(({}), '{\"n\": 1}')",
            "completed {\"n\": 1}  t",
        ),
        ("multica_fail(({}), 'no luck')", "failed  no luck t"),
        (
            "multica_fail(({}), 'gone', 'runtime_offline')",
            "failed  gone t",
        ),
        ("multica_cancel(({}))", "failed  task cancelled t"),
    ] {
        client.batch_execute(&format!(
            "UPDATE autopilot_run SET status = 'running', task_id = NULL, result = NULL, failure_reason = NULL, completed_at = NULL;
             SELECT FROM multica_enqueue_autopilot({}); SELECT FROM multica_claim({}); SELECT FROM multica_start(({ACTIVE}))",
            id("71"),
            id("b1")
        ))?;
        expect(
            &mut client,
            &format!("SELECT task_id = ({ACTIVE}) FROM autopilot_run"),
            "t",
        )?;
        expect(
            &mut client,
            &format!(
                "SELECT task_id = ({ACTIVE}), created FROM multica_enqueue_autopilot({})",
                id("71")
            ),
            "t f",
        )?;
        client.batch_execute(&format!("SELECT FROM {}", end.replace("{}", ACTIVE)))?;
        expect(&mut client, run, expected)?;
        // The work of a run is never retried.
        expect(
            &mut client,
            &format!("SELECT count(*) FROM ({ACTIVE}) AS a"),
            "0",
        )?;
    }
    Ok(())
}

fn illegal_transitions_name_the_state(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1'), task('e2', status => 'dispatched'), task('e3', status => 'running'),
                task('e4', status => 'completed'), task('e5', status => 'failed'), task('e6', status => 'cancelled')",
    )?;
    for (label, call, state, allowed) in [
        ("e1", "start", "queued", "dispatched"),
        ("e3", "start", "running", "dispatched"),
        ("e4", "start", "completed", "dispatched"),
        ("e5", "start", "failed", "dispatched"),
        ("e6", "start", "cancelled", "dispatched"),
        ("e1", "complete", "queued", "running"),
        ("e2", "complete", "dispatched", "running"),
        ("e1", "fail", "queued", "dispatched or running"),
    ] {
        let more = if call == "fail" { ", 'x'" } else { "" };
        let sql = format!("SELECT FROM multica_{call}({}{more})", id(label));
        let error = client
            .batch_execute(&sql)
            .err()
            .with_context(|| format!("{sql} succeeds"))?;
        let error = error.as_db_error().context("an error of the server")?;
        ensure!(error.code().code() == "55000", "{sql}: {error:?}");
        let detail = error.detail().unwrap_or_default();
        ensure!(
            detail.contains(&format!("It is {state};"))
                && detail.contains(&format!("a task that is {allowed} can be")),
            "{sql}: {detail}"
        );
        ensure!(error.hint().is_some(), "{sql} says what to do");
    }
    Ok(())
}

fn finalized_tasks_answer_and_do_not_change(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e4', status => 'completed'), task('e5', status => 'failed'), task('e6', status => 'cancelled');
         UPDATE agent_task_queue SET completed_at = now(), session_id = 's', result = '1', failure_reason = 'timeout', attempt = 2",
    )?;
    let before = digest(context, &database)?;
    for (label, status) in [("e4", "completed"), ("e5", "failed"), ("e6", "cancelled")] {
        let task = id(label);
        for call in [
            format!("multica_complete({task}, '2', 'other', '/other')"),
            format!("multica_complete({task}, claim_token => 1)"),
            format!("multica_fail({task}, 'x', 'timeout', 'other', '/other')"),
            format!("multica_cancel({task})"),
        ] {
            let sql = format!(
                "SELECT status, applied, retry_task_id, first_execution, session_id, result FROM {call}"
            );
            expect(&mut client, &sql, &format!("{status} f  f s 1"))?;
        }
        expect(
            &mut client,
            &format!("SELECT multica_pin_session({task}, 'other')"),
            "f",
        )?;
    }
    ensure!(
        digest(context, &database)? == before,
        "a task that is over was changed"
    );
    Ok(())
}

fn enqueue_takes_what_the_source_says(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "UPDATE issue SET priority = 'medium' WHERE id = {}",
        id("d2")
    ))?;
    for (call, expected) in [
        (
            format!("multica_enqueue({}, '{{\"a\": 1}}', 7, 5)", id("c2")),
            "c2 b1     7 5 {\"a\": 1}",
        ),
        (format!("multica_enqueue({})", id("c2")), "c2 b1     0 2 {}"),
        (
            format!("multica_enqueue_issue({}, {})", id("d1"), id("81")),
            "c1 b1 d1   81 0 2 ",
        ),
        (
            format!("multica_enqueue_issue({})", id("d2")),
            "c1 b1 d2    2 2 ",
        ),
        (
            format!(
                "multica_enqueue_issue({}, priority => -3, max_attempts => 1, context => '[]')",
                id("d3")
            ),
            "c1 b1 d3    -3 1 []",
        ),
        (
            format!("multica_enqueue_mention({}, {})", id("d3"), id("c2")),
            "c2 b1 d3    3 2 ",
        ),
        (
            format!(
                "multica_enqueue_mention({}, {}, {})",
                id("d1"),
                id("c2"),
                id("81")
            ),
            "c2 b1 d1   81 0 2 ",
        ),
        (
            format!("multica_enqueue_issue({})", id("d4")),
            "c1 b1 d4    4 2 ",
        ),
        (
            format!("multica_enqueue_chat({})", id("51")),
            "c1 b1  51   2 2 ",
        ),
        (
            format!("multica_enqueue_autopilot({})", id("71")),
            "c1 b1   71  2 2 ",
        ),
    ] {
        let enqueued = value(&mut client, &format!("SELECT task_id FROM {call}"))?;
        let sql = format!(
            "SELECT right(agent_id::text, 2), right(runtime_id::text, 2), right(issue_id::text, 2), right(chat_session_id::text, 2),
                    right(autopilot_run_id::text, 2), right(trigger_comment_id::text, 2), priority, max_attempts, context
             FROM multica_get_task('{enqueued}')
             WHERE status = 'queued' AND attempt = 1 AND parent_task_id IS NULL AND session_id IS NULL AND dispatched_at IS NULL"
        );
        expect(&mut client, &sql, expected)?;
    }
    Ok(())
}

fn pending_task_coalesces(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let first = value(
        &mut client,
        &format!(
            "SELECT task_id FROM multica_enqueue_issue({}, {})",
            id("d1"),
            id("81")
        ),
    )?;
    let again = format!(
        "SELECT task_id = '{first}', created FROM multica_enqueue_issue({}, priority => 9)",
        id("d1")
    );
    expect(&mut client, &again, "t f")?;
    let mention = format!(
        "SELECT task_id = '{first}', created FROM multica_enqueue_mention({}, {})",
        id("d1"),
        id("c1")
    );
    expect(&mut client, &mention, "t f")?;
    expect(
        &mut client,
        "SELECT right(trigger_comment_id::text, 2), priority FROM agent_task_queue",
        "81 0",
    )?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log", "1")?;
    client.batch_execute(&format!("SELECT FROM multica_claim({})", id("b1")))?;
    expect(&mut client, &again, "t f")?;
    client.batch_execute(&format!("SELECT FROM multica_start('{first}')"))?;
    // A running task is no pending one: what is asked for now waits behind it.
    expect(&mut client, &again, "f t")
}

fn agent_is_reconciled_only_by_a_change(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("SELECT task('e1'), task('e2'), task('e3')")?;
    let statuses = |client: &mut Client, sql: &str| -> Result<String> {
        let types = recorded(client, sql)?;
        Ok(types
            .split(' ')
            .filter(|kind| *kind == "agent:status")
            .count()
            .to_string())
    };
    let claim = format!("SELECT FROM multica_claim({})", id("b1"));
    ensure!(statuses(&mut client, &claim)? == "1", "idle to working");
    ensure!(statuses(&mut client, &claim)? == "0", "working already");
    ensure!(
        statuses(
            &mut client,
            &format!("SELECT FROM multica_cancel({})", id("e1"))
        )? == "0",
        "works on"
    );
    ensure!(
        statuses(
            &mut client,
            &format!("SELECT FROM multica_cancel({})", id("e3"))
        )? == "0",
        "works on"
    );
    ensure!(
        statuses(
            &mut client,
            &format!("SELECT FROM multica_cancel({})", id("e2"))
        )? == "1",
        "nothing left"
    );
    client.batch_execute("UPDATE agent SET status = 'error'")?;
    expect(
        &mut client,
        &format!("SELECT multica_reconcile_agent({})", id("c1")),
        "idle",
    )?;
    ensure!(
        statuses(
            &mut client,
            &format!("SELECT multica_reconcile_agent({})", id("c1"))
        )? == "0",
        "idle already"
    );
    Ok(())
}

/// An issue's and a chat's work, in a fixture's columns.
const SUBJECTS: [&str; 2] = [
    "issue_id = '00000000-0000-4000-8000-0000000000d1'",
    "chat_session_id = '00000000-0000-4000-8000-000000000051'",
];

fn late_failure_makes_no_retry_beside_a_later_run(context: &Context) -> Result<()> {
    for subject in SUBJECTS {
        let (_database, mut client) = team(context)?;
        client.batch_execute(&format!(
            "SELECT task('e1', status => 'running'), task('e2'); UPDATE agent_task_queue SET {subject};
             SELECT FROM multica_fail({}, 'x', 'agent_error')",
            id("e1")
        ))?;
        client.batch_execute(&format!(
            "SELECT FROM multica_claim({}); UPDATE agent_task_queue SET failure_reason = 'timeout' WHERE status = 'failed'",
            id("b1")
        ))?;
        // The later run goes on, and is over: either way the work is done by now, or being done.
        for step in ["start", "complete"] {
            client.batch_execute(&format!("SELECT FROM multica_{step}({})", id("e2")))?;
            let hand_in = format!(
                "SELECT retried FROM multica_handle_failed_tasks(ARRAY[{}::uuid])",
                id("e1")
            );
            expect(&mut client, &hand_in, "0")?;
            expect(
                &mut client,
                &format!("SELECT count(*) FROM multica_retry({})", id("e1")),
                "0",
            )?;
        }
    }
    Ok(())
}

fn retry_is_not_lost_to_a_task_that_never_ran(context: &Context) -> Result<()> {
    for subject in SUBJECTS {
        let (_database, mut client) = team(context)?;
        // What waited behind the run is cancelled a moment after a sweep has read its clock.
        client.batch_execute(&format!(
            "SELECT task('e1', status => 'running'), task('e2'); UPDATE agent_task_queue SET {subject};
             SELECT FROM multica_cancel({});
             UPDATE agent_task_queue SET completed_at = now() + interval '1 second' WHERE status = 'cancelled'",
            id("e2")
        ))?;
        let fail = format!(
            "SELECT retry_task_id IS NOT NULL FROM multica_fail({}, 'x', 'timeout')",
            id("e1")
        );
        expect(&mut client, &fail, "t")?;
    }
    Ok(())
}

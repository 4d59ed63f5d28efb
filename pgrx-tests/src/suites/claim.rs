//! Which tasks a claim returns.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{expect, expect_state, id, team, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    claim_returns_only_tasks_of_its_runtime,
    claim_orders_by_priority_age_and_id,
    claim_skips_tasks_of_archived_agents,
    task_of_another_workspace_is_cancelled_not_returned,
    one_task_is_in_flight_per_issue_and_chat,
    claim_respects_max_concurrent_tasks,
    unstarted_task_is_redelivered,
    old_claim_token_is_refused_after_redelivery,
];

/// Returns the labels of the tasks that a claim returns, in its order.
fn claimed_labels(client: &mut Client, arguments: &str) -> Result<String> {
    value(client, &format!("SELECT string_agg(right(id::text, 2), ' ') FROM multica_claim({arguments})"))
}

fn expect_claim(client: &mut Client, arguments: &str, expected: &str) -> Result<()> {
    let found = claimed_labels(client, arguments)?;
    ensure!(found == expected, "multica_claim({arguments}) returns {found:?}, not {expected:?}");
    Ok(())
}

fn claim_returns_only_tasks_of_its_runtime(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("SELECT task('e1', 'b2'), task('e2', 'b1', 'c2')")?;
    // The agents Bo and Ada are both on machine-1, because only the runtime of the task decides.
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "e2")?;
    expect_claim(&mut client, &format!("{}, 10", id("b9")), "")?;
    expect(&mut client, "SELECT status FROM agent_task_queue WHERE right(id::text, 2) = 'e1'", "queued")?;
    expect_claim(&mut client, &format!("{}, 10", id("b2")), "e1")
}

fn claim_orders_by_priority_age_and_id(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task(l) FROM unnest(ARRAY['e5', 'e2', 'e3', 'e1', 'e4']) AS l;
         UPDATE agent_task_queue SET created_at = '2026-01-01', priority = 1;
         UPDATE agent_task_queue SET created_at = '2025-01-01' WHERE right(id::text, 2) = 'e4';
         UPDATE agent_task_queue SET priority = 4 WHERE right(id::text, 2) = 'e5';
         SELECT task('e6', 'b1', 'c2');
         UPDATE agent_task_queue SET priority = 2 WHERE right(id::text, 2) = 'e6'",
    )?;
    expect_claim(&mut client, &id("b1"), "e5")?;
    expect_claim(&mut client, &format!("{}, 3", id("b1")), "e6 e4 e1")?;
    expect_claim(&mut client, &format!("{}, 5", id("b1")), "e2 e3")
}

fn claim_skips_tasks_of_archived_agents(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1'), task('e2', 'b1', 'c1', 'dispatched');
         UPDATE agent_task_queue SET dispatched_at = now() - interval '1 hour' WHERE status = 'dispatched';
         UPDATE agent SET archived_at = now() WHERE name = 'Ada'",
    )?;
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "")?;
    expect(
        &mut client,
        "SELECT right(id::text, 2), status, dispatched_at < now() - interval '50 minutes' FROM agent_task_queue ORDER BY 1",
        "e1 queued \ne2 dispatched t",
    )?;
    client.batch_execute("UPDATE agent SET archived_at = NULL")?;
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "e2 e1")
}

fn task_of_another_workspace_is_cancelled_not_returned(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    // Tasks whose issue, chat or agent is in the other workspace. The chat of e5 is in the other workspace but its
    // issue is not, and the issue decides.
    client.batch_execute(&format!(
        "SELECT task(l) FROM unnest(ARRAY['e1', 'e2', 'e4', 'e5', 'e6']) AS l;
         SELECT task('e3', 'b1', 'c9');
         UPDATE agent_task_queue SET priority = 5 WHERE right(id::text, 2) IN ('e1', 'e2', 'e3');
         UPDATE agent_task_queue SET issue_id = {} WHERE right(id::text, 2) = 'e1';
         UPDATE agent_task_queue SET chat_session_id = {} WHERE right(id::text, 2) IN ('e2', 'e5');
         UPDATE agent_task_queue SET issue_id = {} WHERE right(id::text, 2) = 'e5';
         UPDATE agent_task_queue SET status = 'dispatched', dispatched_at = now() - interval '10 minutes'
         WHERE right(id::text, 2) IN ('e2', 'e4')",
        id("d9"),
        id("59"),
        id("d1"),
    ))?;
    expect_claim(&mut client, &id("b1"), "e4")?;
    expect_claim(&mut client, &id("b1"), "e5")?;
    expect_claim(&mut client, &id("b1"), "e6")?;
    expect(
        &mut client,
        "SELECT right(id::text, 2), completed_at IS NOT NULL FROM agent_task_queue WHERE status = 'cancelled' ORDER BY 1",
        "e1 t\ne2 t\ne3 t",
    )?;
    expect(
        &mut client,
        "SELECT right(payload ->> 'task_id', 2), right(workspace_id::text, 2) FROM multica_event_log
         WHERE type = 'task:cancelled' ORDER BY 1",
        "e1 a2\ne2 a2\ne3 a2",
    )
}

/// An agent has one task in flight per issue, on all runtimes together, and a chat has one turn in flight.
fn one_task_is_in_flight_per_issue_and_chat(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', 'b2', 'c1', 'running'), task('e2'), task('e3', 'b1', 'c2'), task('e4'), task('e5'), task('e6');
         UPDATE agent_task_queue SET issue_id = {} WHERE right(id::text, 2) IN ('e1', 'e2', 'e3');
         UPDATE agent_task_queue SET chat_session_id = {} WHERE right(id::text, 2) IN ('e4', 'e5');
         UPDATE agent_task_queue SET chat_session_id = {} WHERE right(id::text, 2) = 'e6';
         UPDATE agent_task_queue SET created_at = now() + interval '1 second' WHERE right(id::text, 2) IN ('e5', 'e6')",
        id("d1"),
        id("51"),
        id("52"),
    ))?;
    // e2 waits for e1, which is on another runtime; a task of another agent on the same issue does not wait.
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "e3 e4 e6")?;
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "")?;
    client.batch_execute(&format!(
        "SELECT FROM multica_start({0}); SELECT FROM multica_complete({0}); SELECT FROM multica_complete({1})",
        id("e4"),
        id("e1"),
    ))?;
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "e2 e5")
}

fn claim_respects_max_concurrent_tasks(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "UPDATE agent SET max_concurrent_tasks = CASE name WHEN 'Ada' THEN 3 ELSE 0 END;
         SELECT task('e0', 'b2', 'c1', 'running'), task('e1'), task('e2'), task('e3'), task('e4', 'b1', 'c2')",
    )?;
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "e1 e2")?;
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "")?;
    client.batch_execute("UPDATE agent SET max_concurrent_tasks = 1")?;
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "e4")
}

fn unstarted_task_is_redelivered(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("SELECT task('e1'), task('e2'), task('e3'), task('e4', 'b1', 'c1', 'running')")?;
    let ages =
        "UPDATE agent_task_queue SET prepare_lease_expires_at = now(), dispatched_at = now() - CASE right(id::text, 2)
                WHEN 'e1' THEN interval '91 seconds' WHEN 'e2' THEN interval '95 seconds' ELSE interval '2 hours' END
                WHERE status IN ('dispatched', 'running')";
    expect_claim(&mut client, &format!("{}, 2", id("b1")), "e1 e2")?;
    let events = value(&mut client, "SELECT max(id) FROM multica_event_log")?;
    client.batch_execute(ages)?;
    // The oldest dispatched task comes first, and all of them come before queued tasks. They count towards max_tasks. A
    // running task is never redelivered.
    expect_claim(&mut client, &id("b1"), "e2")?;
    expect_claim(&mut client, &format!("{}, 2", id("b1")), "e1 e3")?;
    expect(
        &mut client,
        &format!("SELECT string_agg(type, ' ') FROM multica_event_log WHERE id > {events}"),
        "task:dispatch",
    )?;
    expect(
        &mut client,
        "SELECT max(attempt), count(*), bool_and(dispatched_at > now() - interval '30 seconds')
         FROM agent_task_queue WHERE status = 'dispatched'",
        "1 3 t",
    )?;
    // No redelivery before multica.redeliver_after has passed, and none to another runtime.
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "")?;
    client.batch_execute(
        "UPDATE agent_task_queue SET dispatched_at = now() - interval '89 seconds', prepare_lease_expires_at = now()
         WHERE status = 'dispatched'",
    )?;
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "")?;
    client.batch_execute("SET multica.redeliver_after = '60s'")?;
    expect_claim(&mut client, &format!("{}, 10", id("b2")), "")?;
    expect_claim(&mut client, &format!("{}, 10", id("b1")), "e1 e2 e3")
}

fn old_claim_token_is_refused_after_redelivery(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("SELECT task('e1')")?;
    let claim = format!("SELECT claim_token FROM multica_claim({})", id("b1"));
    let task = id("e1");
    let old = value(&mut client, &claim)?;
    client.batch_execute(
        "UPDATE agent_task_queue SET dispatched_at = dispatched_at - interval '91 seconds', prepare_lease_expires_at = now()",
    )?;
    let between =
        value(&mut client, "SELECT (extract(epoch FROM dispatched_at) * 1000000)::bigint FROM agent_task_queue")?;
    let new = value(&mut client, &claim)?;
    ensure!(new != old && new != between, "the redelivery has a new claim token");
    for token in [&old, &between] {
        for call in [
            format!("SELECT FROM multica_start({task}, {token})"),
            format!("SELECT FROM multica_complete({task}, claim_token => {token})"),
            format!("SELECT FROM multica_fail({task}, 'x', claim_token => {token})"),
            format!("SELECT FROM multica_pin_session({task}, 's', claim_token => {token})"),
        ] {
            expect_state(&mut client, &call, "55000")?;
        }
    }
    expect(&mut client, &format!("SELECT applied FROM multica_start({task}, {new})"), "t")?;
    expect(&mut client, &format!("SELECT applied FROM multica_start({task}, {new})"), "f")?;
    expect_state(&mut client, &format!("SELECT FROM multica_start({task}, {old})"), "55000")?;
    expect_state(&mut client, &format!("SELECT FROM multica_start({task})"), "55000")?;
    expect_state(&mut client, &format!("SELECT FROM multica_complete({task}, claim_token => {old})"), "55000")?;
    expect(&mut client, &format!("SELECT multica_pin_session({task}, 's', claim_token => {new})"), "t")?;
    expect(&mut client, &format!("SELECT applied FROM multica_complete({task}, claim_token => {new})"), "t")
}

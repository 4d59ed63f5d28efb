//! The claim of a daemon with several runtimes.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{expect, expect_state, id, team, value};
use crate::context::Context;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    best_tasks_of_all_runtimes_come_first,
    array_of_runtimes_is_checked,
    agent_with_tasks_on_two_runtimes_keeps_its_limit,
    chat_with_turns_on_two_runtimes_gets_one,
    claim_is_a_sign_of_life_of_all_runtimes,
    runtime_that_cannot_be_written_stops_no_other,
    process_that_was_replaced_on_one_runtime_is_refused,
    claim_of_many_returns_at_most_a_hundred,
];

/// Returns the labels of the tasks that the claim of these runtimes returns, each with that of its runtime.
fn claim_many(client: &mut Client, runtimes: &[&str], arguments: &str) -> Result<String> {
    let ids: Vec<String> = runtimes.iter().map(|label| id(label)).collect();
    let sql = format!(
        "SELECT string_agg(right(id::text, 2) || right(runtime_id::text, 2) || right(workspace_id::text, 2), ' ')
         FROM multica_claim_many(ARRAY[{}]::uuid[]{arguments})",
        ids.join(", ")
    );
    value(client, &sql)
}

fn expect_claim(client: &mut Client, runtimes: &[&str], arguments: &str, expected: &str) -> Result<()> {
    let found = claim_many(client, runtimes, arguments)?;
    ensure!(found == expected, "the claim returns {found:?}, not {expected:?}");
    Ok(())
}

fn best_tasks_of_all_runtimes_come_first(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1'), task('e2', 'b2'), task('e3', 'b9', 'c9'), task('e4', 'b9', 'c9', 'dispatched'), task('e5', 'b2', 'c2');
         UPDATE agent_task_queue SET dispatched_at = now() - interval '2 minutes' WHERE status = 'dispatched';
         UPDATE agent_task_queue SET priority = 3 WHERE right(id::text, 2) = 'e3';
         UPDATE agent_task_queue SET priority = 2 WHERE right(id::text, 2) = 'e2'",
    )?;
    expect_claim(&mut client, &["b9", "b1", "b2"], "", "e4b9a2")?;
    expect_claim(&mut client, &["b9", "b1", "b2"], ", 2", "e3b9a2 e2b2a1")?;
    expect_claim(&mut client, &["b1"], ", 0", "")?;
    expect_claim(&mut client, &["b1", "b9"], ", 9", "e1b1a1")?;
    expect(&mut client, "SELECT status FROM agent_task_queue WHERE right(id::text, 2) = 'e5'", "queued")
}

fn array_of_runtimes_is_checked(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("SELECT task('e1'), task('e2', 'b2')")?;
    for (arguments, state) in [("NULL", "22004"), ("'{NULL}'", "22004"), ("'{}', NULL", "22004"), ("'{}', -1", "22023")]
    {
        expect_state(&mut client, &format!("SELECT multica_claim_many({arguments})"), state)?;
    }
    expect_claim(&mut client, &[], "", "")?;
    expect_claim(&mut client, &["00"], "", "")?;
    expect_claim(&mut client, &["b1", "00", "b1"], ", 9", "e1b1a1")
}

fn agent_with_tasks_on_two_runtimes_keeps_its_limit(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "UPDATE agent SET max_concurrent_tasks = 2;
         SELECT task('e1'), task('e2'), task('e3', 'b2'), task('e4', 'b2'), task('e5', 'b2', 'c2')",
    )?;
    expect_claim(&mut client, &["b1", "b2"], ", 4", "e1b1a1 e2b1a1 e5b2a1")?;
    expect_claim(&mut client, &["b1", "b2"], ", 4", "")
}

fn chat_with_turns_on_two_runtimes_gets_one(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1'), task('e2', 'b2'); UPDATE agent_task_queue SET chat_session_id = {}",
        id("51")
    ))?;
    expect_claim(&mut client, &["b1", "b2"], ", 9", "e1b1a1")?;
    expect_claim(&mut client, &["b1", "b2"], ", 9", "")
}

fn claim_is_a_sign_of_life_of_all_runtimes(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '1 hour'; SELECT task('e1', 'b2')",
    )?;
    expect_claim(&mut client, &["b1", "b2"], ", 9", "e1b2a1")?;
    expect(
        &mut client,
        "SELECT right(id::text, 2), status FROM agent_runtime WHERE last_seen_at > now() - interval '1 minute' ORDER BY 1",
        "b1 online\nb2 online",
    )?;
    expect(
        &mut client,
        "SELECT payload ->> 'action', jsonb_array_length(payload -> 'runtime_ids') FROM multica_event_log WHERE type = 'daemon:register'",
        "online 2",
    )
}

fn runtime_that_cannot_be_written_stops_no_other(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1'), task('e2', 'b2');
         UPDATE agent_runtime SET status = 'offline';
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON agent_runtime FOR EACH ROW WHEN (OLD.id = {}) EXECUTE FUNCTION refuse()",
        id("b1")
    ))?;
    expect_claim(&mut client, &["b1", "b2"], ", 9", "e2b2a1")?;
    expect(&mut client, "SELECT right(id::text, 2) FROM agent_runtime WHERE status = 'online'", "b2")
}

fn process_that_was_replaced_on_one_runtime_is_refused(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let process = |of: &str| format!("'00000000-0000-4000-8000-0000000000{of}'");
    client.batch_execute(&format!(
        "SELECT task('e1'), task('e2', 'b2');
         INSERT INTO multica_runtime_incarnation (runtime_id, incarnation, registered_at)
         VALUES ({}, {}, now()), ({}, {}, now())",
        id("b1"),
        process("f8"),
        id("b2"),
        process("f9")
    ))?;
    let both = format!("ARRAY[{}, {}]::uuid[], 9", id("b1"), id("b2"));
    for of in ["f8", "f9"] {
        expect_state(&mut client, &format!("SELECT multica_claim_many({both}, {})", process(of)), "55000")?;
    }
    expect_claim(&mut client, &["b2", "b9"], &format!(", 9, {}", process("f9")), "e2b2a1")?;
    expect(&mut client, "SELECT right(incarnation::text, 2) FROM multica_task_incarnation", "f9")?;
    expect_claim(&mut client, &["b1", "b2"], ", 9", "e1b1a1")
}

fn claim_of_many_returns_at_most_a_hundred(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "UPDATE agent SET max_concurrent_tasks = 500;
         INSERT INTO agent_task_queue (agent_id, runtime_id, context)
         SELECT a.id, r.id, '{}' FROM agent AS a, agent_runtime AS r, generate_series(1, 40)
         WHERE a.name IN ('Ada', 'Bo') AND r.daemon_id IN ('machine-1', 'machine-2')",
    )?;
    let many = |most: i32| {
        format!("SELECT count(*) FROM multica_claim_many(ARRAY[{}, {}]::uuid[], {most})", id("b1"), id("b2"))
    };
    for (most, expected) in [(1000, "100"), (100, "60")] {
        expect(&mut client, &many(most), expected)?;
    }
    Ok(())
}

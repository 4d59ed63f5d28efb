//! Claims in the tables of a server: the rules of the server's own claim, and what its daemon is told. Each test runs on
//! every generation whose tables have what it is about.

mod races;
mod rules;
mod sessions;
mod transcript;

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::server_consequences::insert_work;
use super::support::{value, values};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    "server_claims": rules::waiting_task_takes_a_place_and_deferred_task_does_not,
    rules::one_task_without_a_place_is_in_flight_per_agent,
    rules::silent_runtime_is_revived_by_its_claim,
    rules::runtime_that_can_run_nothing_stays_offline,
    rules::claim_leases_the_task,
    rules::leased_task_is_not_redelivered,
    rules::task_of_archived_agent_is_left,
    rules::context_of_another_workspace_is_cancelled,
    rules::due_task_is_queued_and_superseded_retry_is_cancelled,
    sessions::unsafe_session_is_not_resumed,
    sessions::retired_session_is_never_resumed,
    sessions::overflow_blocks_earlier_sessions,
    sessions::pointer_counts_on_its_runtime,
    sessions::rerun_resumes_its_source,
    sessions::forced_task_begins_anew,
    sessions::retry_resumes_its_parent,
    sessions::operator_decides_which_sessions_are_unsafe,
    sessions::channel_turn_resumes_its_revision,
    transcript::retry_comes_before_later_turns,
    transcript::message_moves_behind_the_answers_before_it,
    races::one_place_is_taken_by_one_of_two_claims,
    races::lost_claim_is_redelivered_by_one_of_two,
    races::finalization_fails_after_a_redelivery,
    races::pair_is_promoted_by_one_of_two,
    races::uncommitted_enqueue_stops_no_claim,
];

/// The labels of tasks that the tests claim.
const LABELS: &str = "ARRAY['one', 'two', 'three', 'media']";

/// A claim of the fixture's runtime.
const CLAIM: &str = "multica_claim(md5('runtime x')::uuid, 5)";

/// Inserts a runtime with its agent, an issue and a chat, whose tasks have ended half an hour ago.
fn rested(context: &Context, client: &mut Client) -> Result<()> {
    insert_work(context, client)?;
    Ok(client.batch_execute(
        "UPDATE agent_task_queue SET status = 'completed', completed_at = now() - interval '30 minutes'
         WHERE agent_id = md5('agent x')::uuid;
         UPDATE agent SET status = 'idle' WHERE id = md5('agent x')::uuid",
    )?)
}

/// Inserts a queued task of the agent, with these further values.
fn queue(client: &mut Client, label: &str, more: &str) -> Result<()> {
    Ok(client.batch_execute(&format!(
        "INSERT INTO agent_task_queue (id, agent_id, runtime_id, status, created_at)
         VALUES (md5('{label}')::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, 'queued', now() - interval '1 minute');
         UPDATE agent_task_queue SET id = id {more} WHERE id = md5('{label}')::uuid"
    ))?)
}

/// The issue and the chat of the fixture.
const OF_ISSUE: &str = ", issue_id = md5('issue x')::uuid";
const OF_CHAT: &str = ", chat_session_id = md5('chat x')::uuid, priority = 2";

/// Fails unless a claim returns the tasks with these labels.
fn expect_claim(client: &mut Client, expected: &str) -> Result<()> {
    let found = value(
        client,
        &format!(
            "SELECT string_agg(COALESCE(l, c.id::text), ' ') FROM {CLAIM} AS c LEFT JOIN unnest({LABELS}) AS l ON md5(l)::uuid = c.id"
        ),
    )?;
    ensure!(found == expected, "the claim returns {found:?}, not {expected:?}");
    Ok(())
}

/// Whether the tables have a feature.
fn has(client: &mut Client, feature: &str) -> Result<bool> {
    Ok(values(client, "SELECT unnest(features) FROM multica_status()")?.iter().any(|name| name == feature))
}

/// Returns a query of columns of a task.
fn of_task(label: &str, columns: &str) -> String {
    format!("SELECT {columns} FROM agent_task_queue WHERE id = md5('{label}')::uuid")
}

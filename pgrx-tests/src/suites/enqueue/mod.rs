//! New tasks and reruns, in the tables that install makes and in those of every generation of the server: the rows that
//! the server's own statements read afterwards.

mod comments;
mod deferred;
mod provenance;
mod races;
mod reruns;
mod retries;
mod sources;

use anyhow::Result;
use postgres::Client;

use super::Suite;
use super::support::{expect, value};

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    sources::task_has_the_columns_of_its_source,
    sources::squad_is_represented_by_its_leader,
    sources::run_of_a_squad_goes_to_its_leader,
    sources::unbound_agent_gets_no_task,
    sources::archived_chat_gets_no_turn,
    sources::chat_of_a_channel_is_left_to_the_server,
    sources::turn_answers_its_own_messages,
    sources::context_has_the_workspace_of_a_task_without_source,
    sources::run_of_a_machine_that_cannot_execute_is_refused,
    sources::changes_of_an_issue_leave_its_tasks,
    provenance::user_is_stored_with_the_task,
    provenance::owner_is_accountable_if_nobody_is_named,
    provenance::workspace_can_require_a_user,
    provenance::malformed_provenance_is_refused,
    provenance::provenance_without_columns_is_refused,
    comments::comment_joins_a_waiting_task,
    comments::joined_task_acts_for_the_new_user,
    comments::repeated_comment_changes_nothing,
    comments::comment_beside_a_claimed_task_is_planned,
    comments::comment_beside_a_running_task_is_queued,
    comments::comment_joins_a_task_that_waits_for_media,
    comments::superseded_retry_leaves_its_comments,
    comments::deleted_comment_is_found_in_the_task_that_it_joined,
    comments::pending_task_keeps_its_comment_without_the_column,
    deferred::run_after_defers_the_task,
    deferred::repeated_call_with_run_after_defers_once,
    deferred::run_after_needs_the_status,
    deferred::escalation_is_deferred_once,
    deferred::only_a_task_that_has_not_started_is_escalated,
    reruns::running_task_goes_on_beside_a_server,
    reruns::rerun_cancels_what_runs_in_other_tables,
    reruns::rerun_answers_the_comments_of_cancelled_tasks,
    reruns::rerun_of_a_task_keeps_its_agent_and_role,
    reruns::rerun_of_a_task_without_an_issue,
    reruns::session_that_failed_for_good_is_not_resumed,
    reruns::only_an_ended_task_is_rerun,
    races::rerun_replaces_a_task_that_was_queued_meanwhile,
    races::comment_joins_a_task_that_was_queued_meanwhile,
    races::verdict_waits_for_a_rerun_of_the_server,
    races::retry_of_the_server_meets_a_new_task,
    races::promotion_and_new_task_leave_one_pending,
    races::new_task_follows_a_merge_of_the_server,
    races::claim_and_comment_lose_nothing,
    races::start_waits_for_its_escalation,
    retries::retry_comes_before_a_task_of_the_server,
    retries::server_and_call_make_one_retry,
];

/// Returns an id of the fixture `enqueue`, or of a task that a test inserts, as an SQL literal.
fn md5(label: &str) -> String {
    format!("md5('{label}')::uuid")
}

fn has(features: &[String], feature: &str) -> bool {
    features.iter().any(|it| it == feature)
}

/// Runs an enqueue, and returns the task.
fn enqueue(client: &mut Client, call: &str) -> Result<String> {
    value(client, &format!("SELECT task_id FROM {call}"))
}

/// Fails unless an enqueue has this outcome, and returns the task.
fn expect_outcome(client: &mut Client, call: &str, outcome: &str) -> Result<String> {
    let created = if ["merged", "pending"].contains(&outcome) { "f" } else { "t" };
    let found = value(client, &format!("SELECT outcome, created, task_id FROM {call}"))?;
    let task = found.strip_prefix(&format!("{outcome} {created} "));
    match task {
        Some(task) => Ok(task.to_string()),
        None => anyhow::bail!("{call} returns {found}, not {outcome} {created}"),
    }
}

/// Fails unless these columns of a task have these values.
fn expect_task(client: &mut Client, task: &str, columns: &str, expected: &str) -> Result<()> {
    expect(client, &format!("SELECT {columns} FROM agent_task_queue WHERE id = '{task}'"), expected)
}

/// Sets the status of a task, as a daemon does.
fn set_status(client: &mut Client, task: &str, status: &str) -> Result<()> {
    let more = match status {
        "dispatched" => ", dispatched_at = now()",
        "running" => ", dispatched_at = now(), started_at = now()",
        _ => ", dispatched_at = now(), started_at = now(), completed_at = now()",
    };
    let sql = format!("UPDATE agent_task_queue SET status = '{status}'{more} WHERE id = '{task}'");
    Ok(client.batch_execute(&sql)?)
}

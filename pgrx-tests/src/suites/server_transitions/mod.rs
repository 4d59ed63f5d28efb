//! The transitions of a claimed task, in the tables of every generation of the server and in tables that install made:
//! the rows that the server's own statements read afterwards.

mod cancel_races;
mod cancels;
mod causes;
mod ends;
mod issue_status;
mod late_pin;
mod prepare;
mod races;
mod raw;

use anyhow::{Context as _, Result};
use postgres::Client;

use super::Suite;
use super::cases::on_databases;
use super::server_consequences::insert_work;
use super::support::{value, values};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    "server_transitions":
    prepare::start_ends_lease_and_wait,
    prepare::waiting_task_leaves_its_agent_idle,
    prepare::only_the_holder_of_a_claim_prepares_its_task,
    prepare::lease_lasts_for_the_setting,
    prepare::requeued_task_uses_up_no_attempt,
    prepare::start_cancels_escalations,
    prepare::escalations_are_found_without_their_index,
    prepare::escalation_of_started_task_is_never_queued,
    ends::what_a_daemon_reports_is_stored,
    ends::lost_transcript_is_never_resumed,
    ends::completed_turn_moves_pointer_of_its_chat,
    ends::unsafe_failure_keeps_older_pointer,
    ends::completion_deletes_tokens_and_settles_quota,
    ends::error_without_reason_is_classified,
    ends::exhausted_context_is_a_failure,
    ends::wrong_extra_is_refused,
    issue_status::completion_sets_status_of_issue,
    issue_status::unknown_status_of_issue_is_refused,
    issue_status::runs_of_the_issue_end_with_it,
    raw::text_that_cannot_be_stored_ends_its_task,
    raw::bytes_and_jsonb_have_the_same_result,
    late_pin::late_pin_stores_session_of_cancelled_task,
    late_pin::late_pin_keeps_pointer_to_newer_turn,
    late_pin::late_report_fills_only_what_is_empty,
    late_pin::waiting_task_is_pinned,
    cancels::every_cancel_ends_waiting_and_deferred_tasks,
    cancels::rerun_and_deletion_end_what_they_cancel,
    cancels::cancel_of_a_comment_takes_joined_tasks,
    cancels::only_a_call_cancels_tasks_of_an_issue,
    cancels::cancel_stores_why,
    cancels::cancel_moves_pointer_of_its_chat,
    races::server_fails_the_task_that_a_call_ends,
    races::server_sends_chat_message_while_turn_ends,
    races::server_deletes_runtime_while_turn_ends,
    races::user_cancels_while_daemon_fails,
    races::late_pin_and_next_turn_end_with_newest_session,
    races::escalation_is_claimed_while_task_starts,
    cancel_races::server_cancels_the_task_that_a_call_ends,
    cancel_races::one_side_of_the_late_pin_is_the_server,
    cancel_races::server_cancels_the_turn_that_is_pinned,
    causes::causes_come_before_their_consequences,
];

/// What a test knows about the database it runs in.
struct Place<'a> {
    database: &'a Database<'a>,
    features: Vec<String>,
}

impl Place<'_> {
    /// Whether the tables have a feature.
    fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|name| name == feature)
    }
}

/// Runs a case in a database of each generation that has all of `features`, and in one whose tables install made. Each
/// has the fixture `failing_work`.
fn on_work(context: &Context, features: &[&str], case: impl Fn(&Place, &mut Client) -> Result<()>) -> Result<()> {
    on_databases(context, features, |database, client| with_work(context, database, client, &case))?;
    let own = own(context)?;
    let mut client = own.connect()?;
    let present = values(&mut client, "SELECT unnest(features) FROM multica_status()")?;
    if features.iter().all(|feature| present.iter().any(|it| it == feature)) {
        with_work(context, &own, &mut client, &case).context("in tables that install made")?;
    }
    Ok(())
}

/// As [`on_work`], only in tables that install made, for what does not depend on the tables.
fn on_own_work(context: &Context, case: impl Fn(&Place, &mut Client) -> Result<()>) -> Result<()> {
    let own = own(context)?;
    with_work(context, &own, &mut own.connect()?, &case)
}

/// Returns a database whose tables install made, with what the fixture needs.
fn own(context: &Context) -> Result<Database<'_>> {
    let own = context.fresh_database()?;
    own.connect()?.batch_execute(
        "INSERT INTO workspace (id, name, slug) VALUES (md5('workspace 1')::uuid, 'Workspace 1', 'workspace-1');
         INSERT INTO \"user\" (id, name, email) VALUES (md5('user 1')::uuid, 'User 1', 'user1@example.com')",
    )?;
    Ok(own)
}

fn with_work(
    context: &Context,
    database: &Database,
    client: &mut Client,
    case: impl Fn(&Place, &mut Client) -> Result<()>,
) -> Result<()> {
    insert_work(context, client)?;
    let features = values(client, "SELECT unnest(features) FROM multica_status()")?;
    case(&Place { database, features }, client)
}

/// Sets columns of a task.
fn set(client: &mut Client, task: &str, columns: &str) -> Result<()> {
    Ok(client.batch_execute(&format!("UPDATE agent_task_queue SET {columns} WHERE id = md5('{task}')::uuid"))?)
}

/// Sets a task dispatched, as a claim does, with a lease where there are leases.
fn dispatch(place: &Place, client: &mut Client, task: &str) -> Result<()> {
    let lease = if place.has("lease") { ", prepare_lease_expires_at = now() + interval '45 seconds'" } else { "" };
    let columns =
        format!("status = 'dispatched', dispatched_at = now(), started_at = NULL, completed_at = NULL{lease}");
    set(client, task, &columns)
}

/// Sets a task running again, with the session of its label.
fn rerun(place: &Place, client: &mut Client, task: &str) -> Result<()> {
    let mut columns = format!(
        "status = 'running', started_at = now(), completed_at = NULL, failure_reason = NULL, error = NULL, result = NULL,
         session_id = 'session {task}', work_dir = '/work/{task}'"
    );
    for (feature, column) in [("retired", "retired_session_id = NULL"), ("rollout", "session_rollout_missing = false")]
    {
        if place.has(feature) {
            columns.push_str(", ");
            columns.push_str(column);
        }
    }
    client.batch_execute(&format!("DELETE FROM agent_task_queue WHERE parent_task_id = md5('{task}')::uuid"))?;
    set(client, task, &columns)
}

/// Returns a query about a task.
fn of(columns: &str, task: &str) -> String {
    format!("SELECT {columns} FROM agent_task_queue WHERE id = md5('{task}')::uuid")
}

/// Returns the token of the claim of a task.
fn token(client: &mut Client, task: &str) -> Result<String> {
    value(client, &of("(extract(epoch FROM dispatched_at) * 1000000)::bigint", task))
}

/// Returns the types of the events that a statement records, in their order.
fn recorded(client: &mut Client, sql: &str) -> Result<String> {
    let before = value(client, "SELECT COALESCE(max(id), 0) FROM multica_event_log")?;
    client.batch_execute(sql).with_context(|| sql.to_string())?;
    let types = format!("SELECT string_agg(type, ' ' ORDER BY id) FROM multica_event_log WHERE id > {before}");
    value(client, &types)
}

/// Returns the word of the error of a statement.
fn word(client: &mut Client, sql: &str) -> Result<String> {
    let error = client.batch_execute(sql).err().with_context(|| format!("{sql} succeeds"))?;
    let error = error.as_db_error().context("an error of the server")?;
    Ok(error.constraint().unwrap_or(error.code().code()).to_string())
}

//! The calls that queue tasks.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::coalesce::{Outcome, place};
use super::new_task::{Wishes, lock};
use super::provenance::Provenance;
use super::source::{Source, check_comment};
use crate::argument::required;
use crate::error::{Error, Result, Word};
use crate::lifecycle::compatibility;
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::features::Feature;
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::status_sets::NOT_STARTED;
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};
use crate::types::Enqueued;

static LINK_RUN: Statement = Statement::volatile(sql!("task/link_run.sql"));
static STATUS_ON_ISSUE: Statement = Statement::volatile(sql!("task/status_on_issue.sql")).of_visible_rows().by_id();

extension_sql_file!(
    "../../sql/extension/comments/enqueue.sql",
    name = "enqueue_comments",
    requires = [
        multica_enqueue_since_0_4,
        multica_enqueue_issue_since_0_4,
        multica_enqueue_mention_since_0_4,
        multica_enqueue_chat_since_0_4,
        multica_enqueue_autopilot_since_0_4
    ]
);

/// The arguments that every call has, except the call for an agent alone.
pub struct Given {
    /// trigger_comment_id
    pub comment: Option<Uuid>,
    /// priority
    pub priority: Option<i32>,
    /// max_attempts
    pub max_attempts: Option<i32>,
    /// context
    pub context: Option<Jsonb>,
    /// provenance
    pub provenance: Option<Jsonb>,
    /// run_after
    pub run_after: Option<TimestampWithTimeZone>,
}

impl Given {
    fn wishes(self) -> Result<Wishes> {
        let Self { comment, priority, max_attempts, context, provenance, run_after } = self;
        let provenance = Provenance::read(provenance)?;
        Ok(Wishes { comment, priority, max_attempts, context, provenance, run_after, ..Wishes::default() })
    }
}

/// Returns 22023 if a value is out of range, or missing beside another one.
fn check(wishes: &Wishes) -> Result<()> {
    if let Some(few) = wishes.max_attempts.filter(|many| *many < 1) {
        return Err(Error::invalid(
            "max_attempts",
            format!("{few} is below 1"),
            "Pass 1 for no automatic retry, 2 for one retry, and so on.",
        ));
    }
    if wishes.run_after.is_some_and(|after| i64::from(after) == i64::MAX) {
        let hint = "Pass the time at which the task is to be queued.";
        return Err(Error::invalid("run_after", "must not be infinity", hint));
    }
    if wishes.escalates.is_some() && wishes.run_after.is_none() {
        return Err(Error::invalid(
            "run_after",
            "must not be NULL for an escalation",
            "Pass the time at which the escalation is to be queued if the other task has not started by then.",
        ));
    }
    Ok(())
}

/// Returns 0A000 if the tables lack what an argument needs.
fn check_features(wishes: &Wishes) -> Result<()> {
    if wishes.run_after.is_some() {
        compatibility::needs("run_after", Feature::Deferred)?;
    }
    if wishes.escalates.is_some() {
        compatibility::needs("escalation_for_task_id", Feature::Escalation)?;
    }
    if wishes.owns_input {
        compatibility::needs("owns_input", Feature::ChatInput)?;
    }
    Ok(())
}

/// Returns P0002 if the task that is escalated is not on the issue of the source, and 55000 if it has started. The
/// caller has locked it, so it cannot start before the escalation is committed, which its start then cancels.
fn check_escalated(task: Uuid, source: &Source) -> Result<()> {
    let status: Option<String> = STATUS_ON_ISSUE.row(&[arg(task), arg(source.issue)], |row| row.must(1));
    let status = status.ok_or_else(|| match source.issue {
        Some(issue) => Error::not_found_in("task", task, format!("issue {issue}")),
        None => Error::not_found("task", task),
    })?;
    if NOT_STARTED.contains(&status.as_str()) {
        return Ok(());
    }
    Err(Error::state(
        Word::WrongState,
        format!("task {task} cannot be escalated"),
        format!("It is {status}; only a task that has not started can be escalated."),
        "Enqueue the other task without escalation_for_task_id if it is still necessary.",
    ))
}

fn enqueue(find: impl Fn() -> Result<Source>, wishes: Wishes, call: &mut Call) -> Result<Composite<Enqueued>> {
    check(&wishes)?;
    let source = find()?;
    check_comment(wishes.comment, &source)?;
    let escalated = LockSet { tasks: wishes.escalates.into_iter().collect(), ..LockSet::default() };
    lock(&source, wishes.comment, escalated, &find)?;
    // Tables that are missing have no features. The error that they are missing comes first.
    check_features(&wishes)?;
    if let Some(task) = wishes.escalates {
        check_escalated(task, &source)?;
    }
    let (task, outcome) = match source.existing {
        Some(task) => (task, Outcome::Pending),
        None => place(&source, wishes, call)?,
    };
    if let Some(run) = source.run.filter(|_| outcome.is_created()) {
        LINK_RUN.run(&[arg(run), arg(task), arg(source.squad)]);
    }
    let created = outcome.is_created();
    Ok(Composite::of(&[("task_id", arg(task)), ("created", arg(created)), ("outcome", arg(outcome.text()))]))
}

/// Queues a task for an agent alone, for platforms without issues.
#[pg_extern(name = "multica_enqueue")]
#[search_path(@extschema@, pg_temp)]
fn multica_enqueue_since_0_4(
    agent_id: Option<Uuid>,
    context: default!(Option<Jsonb>, "'{}'"),
    priority: default!(Option<i32>, "0"),
    max_attempts: default!(Option<i32>, "2"),
    provenance: default!(Option<Jsonb>, "NULL"),
    run_after: default!(Option<TimestampWithTimeZone>, "NULL"),
) -> Composite<Enqueued> {
    call(|call| {
        let given = Given { comment: None, priority, max_attempts, context, provenance, run_after };
        enqueue_for_agent(agent_id, given, call)
    })
}

/// Queues a task for an agent alone.
pub fn enqueue_for_agent(agent_id: Option<Uuid>, given: Given, call: &mut Call) -> Result<Composite<Enqueued>> {
    let agent = required("agent_id", agent_id)?;
    required("context", given.context)?;
    required("priority", given.priority)?;
    required("max_attempts", given.max_attempts)?;
    enqueue(|| Ok(Source::agent(agent)), given.wishes()?, call)
}

/// Queues a task for the assignee of an issue, or returns the task of this pair that is already pending.
#[allow(clippy::too_many_arguments)]
#[pg_extern(name = "multica_enqueue_issue")]
#[search_path(@extschema@, pg_temp)]
fn multica_enqueue_issue_since_0_4(
    issue_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    max_attempts: default!(Option<i32>, "NULL"),
    context: default!(Option<Jsonb>, "NULL"),
    provenance: default!(Option<Jsonb>, "NULL"),
    run_after: default!(Option<TimestampWithTimeZone>, "NULL"),
    escalation_for_task_id: default!(Option<Uuid>, "NULL"),
) -> Composite<Enqueued> {
    call(|call| {
        let comment = trigger_comment_id;
        let given = Given { comment, priority, max_attempts, context, provenance, run_after };
        enqueue_for_issue(issue_id, given, escalation_for_task_id, call)
    })
}

/// Queues a task for the assignee of an issue.
pub fn enqueue_for_issue(
    issue_id: Option<Uuid>,
    given: Given,
    escalates: Option<Uuid>,
    call: &mut Call,
) -> Result<Composite<Enqueued>> {
    let issue = required("issue_id", issue_id)?;
    enqueue(|| Source::issue(issue, None), Wishes { escalates, ..given.wishes()? }, call)
}

/// Queues a task for an agent that was mentioned on an issue, or returns the task of this pair that is already pending.
#[allow(clippy::too_many_arguments)]
#[pg_extern(name = "multica_enqueue_mention")]
#[search_path(@extschema@, pg_temp)]
fn multica_enqueue_mention_since_0_4(
    issue_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    max_attempts: default!(Option<i32>, "NULL"),
    context: default!(Option<Jsonb>, "NULL"),
    provenance: default!(Option<Jsonb>, "NULL"),
    run_after: default!(Option<TimestampWithTimeZone>, "NULL"),
    escalation_for_task_id: default!(Option<Uuid>, "NULL"),
) -> Composite<Enqueued> {
    call(|call| {
        let comment = trigger_comment_id;
        let given = Given { comment, priority, max_attempts, context, provenance, run_after };
        enqueue_for_mention(issue_id, agent_id, given, escalation_for_task_id, call)
    })
}

/// Queues a task for an agent that was mentioned on an issue.
pub fn enqueue_for_mention(
    issue_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    given: Given,
    escalates: Option<Uuid>,
    call: &mut Call,
) -> Result<Composite<Enqueued>> {
    let issue = required("issue_id", issue_id)?;
    let agent = required("agent_id", agent_id)?;
    enqueue(|| Source::issue(issue, Some(agent)), Wishes { escalates, ..given.wishes()? }, call)
}

/// Queues the next turn of a chat session. Several turns of one session may be queued.
#[allow(clippy::too_many_arguments)]
#[pg_extern(name = "multica_enqueue_chat")]
#[search_path(@extschema@, pg_temp)]
fn multica_enqueue_chat_since_0_4(
    chat_session_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    max_attempts: default!(Option<i32>, "NULL"),
    context: default!(Option<Jsonb>, "NULL"),
    provenance: default!(Option<Jsonb>, "NULL"),
    run_after: default!(Option<TimestampWithTimeZone>, "NULL"),
    owns_input: default!(Option<bool>, "NULL"),
) -> Composite<Enqueued> {
    call(|call| {
        let comment = trigger_comment_id;
        let given = Given { comment, priority, max_attempts, context, provenance, run_after };
        enqueue_for_chat(chat_session_id, given, owns_input, call)
    })
}

/// Queues the next turn of a chat session.
pub fn enqueue_for_chat(
    chat_session_id: Option<Uuid>,
    given: Given,
    owns_input: Option<bool>,
    call: &mut Call,
) -> Result<Composite<Enqueued>> {
    let chat = required("chat_session_id", chat_session_id)?;
    // A server's turn without own messages answers those since the last answer. Without a server, nothing reads messages.
    let owns_input = owns_input.unwrap_or_else(|| Feature::Own.is_present() && Feature::ChatInput.is_present());
    enqueue(|| Source::chat(chat), Wishes { owns_input, ..given.wishes()? }, call)
}

/// Queues the task of an autopilot run that works without an issue, and stores the task in the run. If the run already
/// has a task, returns that task.
#[pg_extern(name = "multica_enqueue_autopilot")]
#[search_path(@extschema@, pg_temp)]
fn multica_enqueue_autopilot_since_0_4(
    autopilot_run_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    max_attempts: default!(Option<i32>, "NULL"),
    context: default!(Option<Jsonb>, "NULL"),
    provenance: default!(Option<Jsonb>, "NULL"),
    run_after: default!(Option<TimestampWithTimeZone>, "NULL"),
) -> Composite<Enqueued> {
    call(|call| {
        let comment = trigger_comment_id;
        let given = Given { comment, priority, max_attempts, context, provenance, run_after };
        enqueue_for_run(autopilot_run_id, given, call)
    })
}

/// Queues the task of an autopilot run.
pub fn enqueue_for_run(autopilot_run_id: Option<Uuid>, given: Given, call: &mut Call) -> Result<Composite<Enqueued>> {
    let run = required("autopilot_run_id", autopilot_run_id)?;
    enqueue(|| Source::autopilot(run), given.wishes()?, call)
}

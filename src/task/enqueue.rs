//! The calls that queue tasks.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::source::{Source, check_comment};
use crate::argument::required;
use crate::error::{Error, Result, Word};
use crate::lifecycle::compatibility;
use crate::lifecycle::event::{Call, TaskSnapshot, call};
use crate::lifecycle::existence::no_agent;
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::placement::bring_home;
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Statement, arg};
use crate::types::Enqueued;

static AGENT: Statement = Statement::volatile(sql!("task/placement_of_agent.sql")).of_visible_rows();
static INSERT: Statement = Statement::volatile(sql!("task/insert.sql"));
static PENDING: Statement = Statement::volatile(sql!("task/pending_of_pair.sql"));
static LINK_RUN: Statement = Statement::volatile(sql!("task/link_run.sql"));

extension_sql_file!(
    "../../sql/extension/comments/enqueue.sql",
    name = "enqueue_comments",
    requires = [
        multica_enqueue,
        multica_enqueue_issue,
        multica_enqueue_mention,
        multica_enqueue_chat,
        multica_enqueue_autopilot
    ]
);

/// Attempts of a task unless the caller passes a number.
const MAX_ATTEMPTS: i32 = 2;

/// What the caller may choose for a new task.
#[derive(Default)]
pub struct EnqueueOptions {
    /// Comment that triggered the task.
    pub comment: Option<Uuid>,
    /// Priority; None means the priority of the source.
    pub priority: Option<i32>,
    /// Maximum number of attempts; None means two.
    pub max_attempts: Option<i32>,
    /// Context, as the caller passed it.
    pub context: Option<Jsonb>,
    /// Session to resume.
    pub session_id: Option<String>,
    /// Directory to resume in.
    pub work_dir: Option<String>,
}

impl EnqueueOptions {
    /// Makes the options from the arguments that every call has, except the call for an agent alone.
    fn new(comment: Option<Uuid>, priority: Option<i32>, max_attempts: Option<i32>, context: Option<Jsonb>) -> Self {
        Self { comment, priority, max_attempts, context, ..Self::default() }
    }
}

/// Locks the rows that a task of this source refers to, and checks under the locks that the source is still the same.
/// The agent's runtime comes before the agent in the order of locks, so it is read before the agent is locked. Returns
/// the rows that it locked.
pub fn lock(
    source: &Source,
    comment: Option<Uuid>,
    mut also: LockSet,
    again: impl Fn() -> Result<Source>,
) -> Result<LockSet> {
    let home: Option<Option<Uuid>> = AGENT.row(&[arg(source.agent)], |row| row.column("runtime_id"));
    also.runtimes.extend(home.flatten());
    also.chat_sessions.extend(source.chat);
    also.agents.push(source.agent);
    also.issues.extend(source.issue);
    also.runs.extend(source.run);
    also.comments.extend(comment);
    also.acquire()?;
    if again()? == *source {
        return Ok(also);
    }
    Err(Error::state(
        Word::TryAgain,
        "another session changed the agent for the task at the same time",
        format!("The agent was {}.", source.agent),
        "Repeat the call.",
    ))
}

/// Returns the agent's workspace and runtime, read under the agent's lock, so that the agent is neither archived nor
/// moved before the task is inserted.
fn placement_of(source: &Source) -> Result<(Uuid, Uuid)> {
    let agent = source.agent;
    let found: Option<(Uuid, Uuid, bool)> = AGENT.row(&[arg(agent)], |row| {
        (row.required("workspace_id"), row.required("runtime_id"), row.required("is_archived"))
    });
    let (workspace, runtime, archived) = found.ok_or_else(|| no_agent(Error::not_found("agent", agent), agent))?;
    if source.workspace.is_some_and(|of| of != workspace) {
        let place = format!("workspace {}", source.workspace.unwrap_or(workspace));
        return Err(no_agent(Error::not_found_in("agent", agent, place), agent));
    }
    if archived {
        return Err(Error::state(
            Word::Archived,
            format!("agent {agent} is archived"),
            "An archived agent gets no tasks.",
            "Restore the agent, or choose another agent.",
        ));
    }
    Ok((workspace, runtime))
}

/// Inserts the task, or finds the pending task of the same issue and agent and moves it to the runtime that the agent
/// is bound to now. The caller holds the locks. Returns the task, and whether it was inserted.
pub fn insert(source: &Source, wishes: EnqueueOptions, call: &mut Call) -> Result<(Uuid, bool)> {
    let (workspace, runtime) = placement_of(source)?;
    let args = [
        arg(source.agent),
        arg(runtime),
        arg(source.issue),
        arg(source.chat),
        arg(source.run),
        arg(wishes.comment),
        arg(wishes.priority.unwrap_or(source.priority)),
        arg(wishes.max_attempts.unwrap_or(MAX_ATTEMPTS)),
        arg(wishes.context),
        arg(wishes.session_id),
        arg(wishes.work_dir),
        arg(call.now()),
    ];
    // If a pending task prevents the insert, another session may end that task before it is read here. Then the insert
    // is tried once more.
    let mut inserted = INSERT.row(&args, TaskSnapshot::reader());
    let mut pending = None;
    if inserted.is_none() {
        pending = pending_of(source, runtime);
        if pending.is_none() {
            inserted = INSERT.row(&args, TaskSnapshot::reader());
        }
    }
    if let Some(task) = inserted {
        if let Some(run) = source.run {
            LINK_RUN.run(&[arg(run), arg(task.id())]);
        }
        let task = task.within(Some(workspace));
        call.task_queued(&task);
        return Ok((task.id(), true));
    }
    let (pending, is_away) = pending.or_else(|| pending_of(source, runtime)).ok_or_else(|| {
        Error::kept_out(
            "the task could not be inserted into agent_task_queue",
            "A trigger on the table returned NULL for the row.",
        )
    })?;
    if is_away {
        bring_home(vec![pending], vec![runtime], call);
    }
    Ok((pending, false))
}

/// Returns the pending task of the same issue and agent, and whether it is queued on a runtime other than this one.
fn pending_of(source: &Source, runtime: Uuid) -> Option<(Uuid, bool)> {
    let args = [arg(source.issue), arg(source.agent), arg(runtime)];
    PENDING.row(&args, |row| (row.must(1), row.must(2)))
}

fn check(wishes: &EnqueueOptions) -> Result<()> {
    match wishes.max_attempts {
        Some(few) if few < 1 => Err(Error::invalid(
            "max_attempts",
            format!("{few} is below 1"),
            "Pass 1 for no automatic retry, 2 for one retry, and so on.",
        )),
        _ => Ok(()),
    }
}

fn enqueue(find: impl Fn() -> Result<Source>, wishes: EnqueueOptions, call: &mut Call) -> Result<Composite<Enqueued>> {
    check(&wishes)?;
    let source = find()?;
    check_comment(wishes.comment, &source)?;
    lock(&source, wishes.comment, LockSet::default(), &find)?;
    let (task, created) = match source.existing {
        Some(task) => (task, false),
        None => insert(&source, wishes, call)?,
    };
    Ok(Composite::of(&[("task_id", arg(task)), ("created", arg(created))]))
}

/// Queues a task for an agent alone, for platforms without issues.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_enqueue(
    agent_id: Option<Uuid>,
    context: default!(Option<Jsonb>, "'{}'"),
    priority: default!(Option<i32>, "0"),
    max_attempts: default!(Option<i32>, "2"),
) -> Composite<Enqueued> {
    call(|call| {
        compatibility::require(&[compatibility::QUEUEING])?;
        let agent = required("agent_id", agent_id)?;
        let wishes = EnqueueOptions {
            context: Some(required("context", context)?),
            priority: Some(required("priority", priority)?),
            max_attempts: Some(required("max_attempts", max_attempts)?),
            ..EnqueueOptions::default()
        };
        enqueue(|| Ok(Source::agent(agent)), wishes, call)
    })
}

/// Queues a task for the assignee of an issue, or returns the task of this pair that is already pending.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_enqueue_issue(
    issue_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    max_attempts: default!(Option<i32>, "NULL"),
    context: default!(Option<Jsonb>, "NULL"),
) -> Composite<Enqueued> {
    call(|call| {
        compatibility::require(&[compatibility::SQUADS, compatibility::QUEUEING])?;
        let issue = required("issue_id", issue_id)?;
        let wishes = EnqueueOptions::new(trigger_comment_id, priority, max_attempts, context);
        enqueue(|| Source::issue(issue, None), wishes, call)
    })
}

/// Queues a task for an agent that was mentioned on an issue, or returns the task of this pair that is already pending.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_enqueue_mention(
    issue_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    max_attempts: default!(Option<i32>, "NULL"),
    context: default!(Option<Jsonb>, "NULL"),
) -> Composite<Enqueued> {
    call(|call| {
        compatibility::require(&[compatibility::QUEUEING])?;
        let issue = required("issue_id", issue_id)?;
        let agent = required("agent_id", agent_id)?;
        let wishes = EnqueueOptions::new(trigger_comment_id, priority, max_attempts, context);
        enqueue(|| Source::issue(issue, Some(agent)), wishes, call)
    })
}

/// Queues the next turn of a chat session. Several turns of one session may be queued.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_enqueue_chat(
    chat_session_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    max_attempts: default!(Option<i32>, "NULL"),
    context: default!(Option<Jsonb>, "NULL"),
) -> Composite<Enqueued> {
    call(|call| {
        compatibility::require(&[compatibility::QUEUEING])?;
        let chat = required("chat_session_id", chat_session_id)?;
        let wishes = EnqueueOptions::new(trigger_comment_id, priority, max_attempts, context);
        enqueue(|| Source::chat(chat), wishes, call)
    })
}

/// Queues the task of an autopilot run that works without an issue, and stores the task in the run. If the run already
/// has a task, returns that task.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_enqueue_autopilot(
    autopilot_run_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    max_attempts: default!(Option<i32>, "NULL"),
    context: default!(Option<Jsonb>, "NULL"),
) -> Composite<Enqueued> {
    call(|call| {
        compatibility::require(&[compatibility::SQUADS, compatibility::QUEUEING])?;
        let run = required("autopilot_run_id", autopilot_run_id)?;
        let wishes = EnqueueOptions::new(trigger_comment_id, priority, max_attempts, context);
        enqueue(|| Source::autopilot(run), wishes, call)
    })
}

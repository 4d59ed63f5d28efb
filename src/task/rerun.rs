//! The reruns that a user asks for: of an issue, and of one task.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::cancel::active_of;
use super::new_task::{NewTask, Rerun, Wishes, lock};
use super::provenance::Provenance;
use super::source::{Source, check_comment};
use super::transition::State;
use crate::argument::required;
use crate::error::{Error, Result, Word};
use crate::lifecycle::cancellation::cancel;
use crate::lifecycle::event::{Call, TaskSnapshot, call};
use crate::lifecycle::features::Feature;
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::sessions;
use crate::lifecycle::status_sets::TERMINAL;
use crate::postgres::composite::Composite;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Row, Statement, arg};
use crate::types::Task;

static LATEST: Statement = Statement::volatile(sql!("task/latest_of_pair.sql"));
static NOT_STARTED: Statement = Statement::volatile(sql!("task/not_started_of_pair.sql")).by_id();
static FINISHED: Statement = Statement::volatile(sql!("task/finished.sql")).of_visible_rows().by_id();

extension_sql_file!(
    "../../sql/extension/comments/rerun.sql",
    name = "rerun_comments",
    requires = [multica_rerun_since_0_4, multica_rerun_task]
);

/// How often a rerun cancels what has the pending slot, and tries to insert its task.
const MAX_ROUNDS: usize = 3;

/// Reruns an issue: replaces the tasks of its assignee by a new first attempt.
#[pg_extern(name = "multica_rerun")]
#[search_path(@extschema@, pg_temp)]
fn multica_rerun_since_0_4(
    issue_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
    provenance: default!(Option<Jsonb>, "NULL"),
) -> Composite<Task> {
    call(|call| rerun_issue(issue_id, trigger_comment_id, provenance, call))
}

/// Whether reruns do as today's server: they leave alone what runs, and the claim reads from the rerun task where to
/// resume. In other tables a rerun cancels what runs, and the new row has the session and the directory.
fn follows_server() -> bool {
    Feature::Provenance.is_present() && !Feature::Own.is_present()
}

fn not_started_of(issue: Uuid, agent: Uuid) -> Vec<Uuid> {
    NOT_STARTED.rows(&[arg(issue), arg(agent)], |row| row.must(1))
}

/// Reruns an issue. The new task resumes where the agent's latest task on the issue stopped, even if this call has just
/// cancelled that task.
pub fn rerun_issue(
    issue_id: Option<Uuid>,
    comment: Option<Uuid>,
    provenance: Option<Jsonb>,
    call: &mut Call,
) -> Result<Composite<Task>> {
    let issue = required("issue_id", issue_id)?;
    let provenance = Provenance::read(provenance)?;
    let find = || Source::issue(issue, None);
    let source = find()?;
    check_comment(comment, &source)?;
    let follows_server = follows_server();
    let replaced = || match follows_server {
        true => not_started_of(issue, source.agent),
        false => active_of(issue, source.agent),
    };
    let locked = lock(&source, comment, LockSet::of_tasks(replaced()), find)?;

    let latest = |with_session: bool| -> Option<Uuid> {
        LATEST.row(&[arg(issue), arg(source.agent), arg(with_session)], |row| row.must(1))
    };
    let resume = |rerun: &mut Rerun| {
        let source = if follows_server { None } else { latest(true) };
        rerun.of = source.or_else(|| latest(false));
        rerun.resume(source, follows_server);
    };
    let wishes = Wishes { comment, provenance, ..Wishes::default() };
    replace(NewTask::new(&source, wishes)?, &locked, replaced, resume, call)
}

/// Reruns a task that has ended, with its source, its comments and its context.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_rerun_task(
    task_id: Option<Uuid>,
    trigger_comment_id: default!(Option<Uuid>, "NULL"),
    provenance: default!(Option<Jsonb>, "NULL"),
) -> Composite<Task> {
    call(|call| {
        let task = required("task_id", task_id)?;
        let provenance = Provenance::read(provenance)?;
        let finished = Finished::of(task)?;
        let find = || finished.source();
        let source = find()?;
        check_comment(trigger_comment_id, &source)?;
        let replaced = || source.issue.map_or_else(Vec::new, |issue| not_started_of(issue, source.agent));
        let mut also = LockSet::of_tasks(replaced());
        also.comments.extend(finished.comment);
        let locked = lock(&source, trigger_comment_id, also, find)?;

        let resume = |rerun: &mut Rerun| rerun.resume(Some(task), follows_server());
        let wishes = Wishes {
            comment: trigger_comment_id,
            priority: Some(finished.priority),
            max_attempts: Some(finished.max_attempts),
            provenance,
            rerun: Rerun {
                of: Some(task),
                context_of: Some(task),
                replaced: vec![task],
                chat_input: finished.chat_input,
                ..Rerun::default()
            },
            ..Wishes::default()
        };
        replace(NewTask::new(&source, wishes)?, &locked, replaced, resume, call)
    })
}

impl Rerun {
    /// Sets where the task resumes: where `task` stopped. Beside today's server the claim decides that, and the row says
    /// only that no other session is resumed.
    fn resume(&mut self, task: Option<Uuid>, follows_server: bool) {
        if !follows_server && let Some(task) = task {
            let prior = sessions::of_task(task);
            (self.session_id, self.work_dir) = (prior.session, prior.work_dir);
        }
        self.is_fresh = self.session_id.is_none();
    }
}

/// Cancels the tasks that the new one replaces, and inserts it. A session that does not lock the agent, the server for
/// example, may take the pending slot in between; then its task is replaced too.
fn replace(
    mut new: NewTask,
    locked: &LockSet,
    replaced: impl Fn() -> Vec<Uuid>,
    resume: impl Fn(&mut Rerun),
    call: &mut Call,
) -> Result<Composite<Task>> {
    for round in 0..MAX_ROUNDS {
        let found = replaced();
        locked.add_chats_of(&found)?;
        if round > 0 {
            LockSet { tasks: found.clone(), ..LockSet::default() }.acquire()?;
        }
        let cancelled = cancel(found, call);
        new.wishes.rerun.replaced.extend(cancelled.iter().map(TaskSnapshot::id));
        resume(&mut new.wishes.rerun);
        if let Some(task) = new.insert(None, call) {
            return super::get(task.id()).ok_or_else(|| Error::not_found("task", task.id()));
        }
    }
    Err(NewTask::not_inserted(replaced().first().copied()))
}

/// A task that has ended, and what its rerun takes from it.
struct Finished {
    agent: Uuid,
    issue: Option<Uuid>,
    chat: Option<Uuid>,
    run: Option<Uuid>,
    squad: Option<Uuid>,
    is_leader: bool,
    comment: Option<Uuid>,
    chat_input: Option<Uuid>,
    priority: i32,
    max_attempts: i32,
}

impl Finished {
    /// Returns a task, or an error: P0002 if it does not exist, 55000 if it has not ended, or if nothing is left of what
    /// it was for.
    fn of(task: Uuid) -> Result<Self> {
        let read = |row: &Row| {
            let finished = Self {
                agent: row.required("agent_id"),
                issue: row.column("issue_id"),
                chat: row.column("chat_session_id"),
                run: row.column("autopilot_run_id"),
                squad: row.column("squad_id"),
                is_leader: row.column("is_leader_task").unwrap_or_default(),
                comment: row.column("trigger_comment_id"),
                chat_input: row.column("chat_input_task_id"),
                priority: row.required("priority"),
                max_attempts: row.required("max_attempts"),
            };
            (finished, row.required::<String>("status"), row.required::<bool>("has_context"))
        };
        let found = FINISHED.row(&[arg(task)], read);
        let (finished, status, has_context) = found.ok_or_else(|| Error::not_found("task", task))?;
        let state = State { status, token: None };
        if !state.is_final() {
            return Err(state.refuse(task, "rerun", &TERMINAL));
        }
        let has_source = finished.issue.or(finished.chat).or(finished.run).is_some();
        if !has_source && !has_context {
            return Err(Error::state(
                Word::WrongState,
                format!("task {task} cannot be rerun"),
                "The chat session or the autopilot run that it was for was deleted.",
                "Enqueue a new task.",
            ));
        }
        Ok(finished)
    }

    /// Returns the source of the task as it is now, with the agent and the role of the task.
    fn source(&self) -> Result<Source> {
        let source = match (self.issue, self.chat, self.run) {
            (Some(issue), ..) => Source::issue(issue, Some(self.agent))?,
            (None, Some(chat), _) => Source::chat(chat)?,
            (None, None, Some(run)) => {
                let workspace = Some(Source::workspace_of_run(run)?);
                Source { workspace, ..Source::agent(self.agent) }
            }
            (None, None, None) => Source::agent(self.agent),
        };
        let (agent, chat, run) = (self.agent, self.chat, self.run);
        Ok(Source { agent, chat, run, squad: self.squad, is_leader: self.is_leader, ..source })
    }
}

//! Locks first, in one order, then writes: workspace, agent, issue, runtime, chat session, autopilot run, comment,
//! task; several rows of a kind by id. A call takes every row it will write, or that a row it inserts refers to, before
//! its first write. What waits follows this order; a sweep never waits and so is in no cycle.

use std::collections::HashSet;

use pgrx::Uuid;

use crate::error::{Error, Result};
use crate::postgres::statement::{Statement, arg};
use crate::postgres::subtransaction;

static WORKSPACE_KEY_SHARE: Statement =
    Statement::volatile(sql!("lifecycle/lock_set/workspace_key_share.sql")).of_visible_rows();
static WORKSPACES: Statement = Statement::volatile(sql!("lifecycle/lock_set/workspaces.sql"));
static AGENTS: Statement = Statement::volatile(sql!("lifecycle/lock_set/agents.sql")).of_visible_rows();
static ISSUES: Statement = Statement::volatile(sql!("lifecycle/lock_set/issues.sql"));
static RUNTIMES_KEY_SHARE: Statement = Statement::volatile(sql!("lifecycle/lock_set/runtimes_key_share.sql"));
static RUNTIMES: Statement = Statement::volatile(sql!("lifecycle/lock_set/runtimes.sql"));
static RUNTIMES_NO_KEY_UPDATE: Statement = Statement::volatile(sql!("lifecycle/lock_set/runtimes_no_key_update.sql"));
static CHAT_SESSIONS: Statement = Statement::volatile(sql!("lifecycle/lock_set/chat_sessions.sql"));
static AUTOPILOT_RUNS: Statement = Statement::volatile(sql!("lifecycle/lock_set/autopilot_runs.sql"));
static COMMENTS: Statement = Statement::volatile(sql!("lifecycle/lock_set/comments.sql"));
static TASKS: Statement = Statement::volatile(sql!("lifecycle/lock_set/tasks.sql")).of_visible_rows().by_id();
static OF_TASKS: Statement = Statement::volatile(sql!("lifecycle/lock_set/of_tasks.sql")).of_visible_rows().by_id();
static OF_RUN: Statement = Statement::volatile(sql!("lifecycle/lock_set/completion_targets.sql")).by_id();
static TRY_AGENTS: Statement = Statement::volatile(sql!("lifecycle/lock_set/try_agents.sql"));
static TRY_CHAT_SESSIONS: Statement = Statement::volatile(sql!("lifecycle/lock_set/try_chat_sessions.sql"));
static TRY_TASKS: Statement = Statement::volatile(sql!("lifecycle/lock_set/try_tasks.sql")).by_id();

/// How strongly runtimes are locked.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub enum Runtimes {
    /// Against deletion: a task is inserted that refers to them.
    #[default]
    KeyShare,
    /// Against other writers: a registration. It waits for no task that an application is inserting.
    NoKeyUpdate,
    /// Against every insert that refers to them: merge, delete.
    Update,
}

/// The rows a call is going to lock, by kind.
#[derive(Default)]
pub struct LockSet {
    /// Workspaces whose runtimes are merged or deleted.
    pub workspaces: Vec<Uuid>,
    /// Agents: the mutex of everything about their tasks.
    pub agents: Vec<Uuid>,
    /// Issues that may be set right.
    pub issues: Vec<Uuid>,
    /// Runtimes, with `strength`.
    pub runtimes: Vec<Uuid>,
    /// Chat sessions.
    pub chat_sessions: Vec<Uuid>,
    /// Autopilot runs.
    pub runs: Vec<Uuid>,
    /// Comments that triggered a task.
    pub comments: Vec<Uuid>,
    /// Tasks.
    pub tasks: Vec<Uuid>,
    /// How strongly the runtimes are locked.
    pub strength: Runtimes,
}

impl LockSet {
    /// The tasks, and every row that a verdict on them writes or refers to. Read without locks: the caller acts only on
    /// what still holds once [`LockSet::acquire`] has returned.
    pub fn of_tasks(tasks: Vec<Uuid>) -> Self {
        let mut wanted = OF_TASKS
            .row(&[arg(tasks.clone())], |row| Self {
                agents: row.column("agents").unwrap_or_default(),
                issues: row.column("issues").unwrap_or_default(),
                runtimes: row.column("runtimes").unwrap_or_default(),
                chat_sessions: row.column("chat_sessions").unwrap_or_default(),
                runs: row.column("autopilot_runs").unwrap_or_default(),
                comments: row.column("comments").unwrap_or_default(),
                ..Self::default()
            })
            .unwrap_or_default();
        wanted.tasks = tasks;
        wanted
    }

    /// What the end of a task's run writes beside the task, which comes last in the order and is locked by its own
    /// UPDATE.
    pub fn of_run(task: Uuid) -> Self {
        let found = OF_RUN.row(&[arg(task)], |row| Self {
            agents: vec![row.required("agent_id")],
            issues: row.column("issue_id").into_iter().collect(),
            chat_sessions: row.column("chat_session_id").into_iter().collect(),
            runs: row.column("autopilot_run_id").into_iter().collect(),
            ..Self::default()
        });
        found.unwrap_or_default()
    }

    /// Takes the locks, waiting for each.
    pub fn acquire(&self) {
        let runtimes = match self.strength {
            Runtimes::KeyShare => &RUNTIMES_KEY_SHARE,
            Runtimes::NoKeyUpdate => &RUNTIMES_NO_KEY_UPDATE,
            Runtimes::Update => &RUNTIMES,
        };
        let statements = [&WORKSPACES, &AGENTS, &ISSUES, runtimes, &CHAT_SESSIONS, &AUTOPILOT_RUNS, &COMMENTS, &TASKS];
        for (statement, ids) in statements.into_iter().zip(self.in_order()) {
            if ids.is_empty() {
                continue;
            }
            let mut args = vec![arg(ids.clone())];
            if std::ptr::eq(statement, &RUNTIMES_KEY_SHARE) {
                args.push(arg(self.agents.clone()));
            }
            statement.run(&args);
        }
    }

    fn in_order(&self) -> [&Vec<Uuid>; 8] {
        [
            &self.workspaces,
            &self.agents,
            &self.issues,
            &self.runtimes,
            &self.chat_sessions,
            &self.runs,
            &self.comments,
            &self.tasks,
        ]
    }

    fn covers(&self, other: &Self) -> bool {
        let pairs = self.in_order().into_iter().zip(other.in_order());
        pairs.into_iter().all(|(mine, others)| {
            let mine: HashSet<&Uuid> = mine.iter().collect();
            others.iter().all(|id| mine.contains(id))
        })
    }
}

/// Takes the locks that `look` asks for, and looks again under them. Where more is to be locked by then, all are given
/// up and taken again: what was found late may come earlier in the order than what is already held.
pub fn acquire_until_stable(look: impl Fn() -> LockSet) {
    loop {
        let wanted = look();
        let settled = subtransaction::commit_if(|| {
            wanted.acquire();
            wanted.covers(&look())
        });
        if settled {
            return;
        }
    }
}

/// Of these agents, those that could be locked without waiting.
pub fn try_agents(agents: &[Uuid]) -> Vec<Uuid> {
    TRY_AGENTS.rows(&[arg(agents.to_vec())], |row| row.must(1))
}

/// Those of the chat sessions that could be locked without waiting.
pub fn try_chat_sessions(chats: Vec<Uuid>) -> Vec<Uuid> {
    TRY_CHAT_SESSIONS.rows(&[arg(chats)], |row| row.must(1))
}

/// Of tasks that the caller has locked, those whose other rows could all be locked without waiting.
pub fn try_tasks(tasks: &[Uuid]) -> Vec<Uuid> {
    TRY_TASKS.rows(&[arg(tasks.to_vec())], |row| row.must(1))
}

/// Locks a workspace against deletion; P0002 where it does not exist.
pub fn workspace_for_key_share(workspace: Uuid) -> Result<()> {
    match WORKSPACE_KEY_SHARE.run(&[arg(workspace)]) {
        0 => Err(Error::not_found("workspace", workspace)),
        _ => Ok(()),
    }
}

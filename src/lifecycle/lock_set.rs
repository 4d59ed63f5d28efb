//! Locks are taken before the first write, in one order: workspace, agent, issue, runtime, chat session, autopilot run,
//! comment, task; several rows of one kind in the order of their ids. A call locks every row that it will write, and
//! every row that an inserted row refers to. Every call that waits for locks follows this order. A sweep never waits,
//! so it is part of no deadlock.

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
    /// Prevents deletion, because a task is inserted that refers to them.
    #[default]
    KeyShare,
    /// Prevents other writes, for a registration. It does not wait for a task that an application is inserting.
    NoKeyUpdate,
    /// Prevents every insert that refers to them, for a merge or a deletion.
    Update,
}

/// The rows that a call is going to lock, by kind.
#[derive(Default)]
pub struct LockSet {
    /// Workspaces whose runtimes are merged or deleted.
    pub workspaces: Vec<Uuid>,
    /// Agents. The lock on an agent protects everything about its tasks.
    pub agents: Vec<Uuid>,
    /// Issues whose status may be reset.
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
    /// Returns the tasks, and every row that a verdict on them writes or refers to. They are read without locks, so the
    /// caller must check again what it found once [`LockSet::acquire`] has returned.
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

    /// Returns the rows that the end of a task writes besides the task. The task comes last in the order and is locked
    /// by its own UPDATE.
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

    /// Takes the locks and waits for each.
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

/// Takes the locks of the set that `look` returns, and calls `look` again under them. If the set has grown in the
/// meantime, all locks are released and taken again, because a row that was found late may come earlier in the order
/// than a row that is already locked.
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

/// Locks agents without waiting, and returns those that it could lock.
pub fn try_agents(agents: &[Uuid]) -> Vec<Uuid> {
    TRY_AGENTS.rows(&[arg(agents.to_vec())], |row| row.must(1))
}

/// Locks chat sessions without waiting, and returns those that it could lock.
pub fn try_chat_sessions(chats: Vec<Uuid>) -> Vec<Uuid> {
    TRY_CHAT_SESSIONS.rows(&[arg(chats)], |row| row.must(1))
}

/// Locks the other rows of tasks that the caller has locked, without waiting. Returns the tasks of which all rows could
/// be locked.
pub fn try_tasks(tasks: &[Uuid]) -> Vec<Uuid> {
    TRY_TASKS.rows(&[arg(tasks.to_vec())], |row| row.must(1))
}

/// Locks a workspace so that it cannot be deleted. Returns P0002 if it does not exist.
pub fn workspace_for_key_share(workspace: Uuid) -> Result<()> {
    match WORKSPACE_KEY_SHARE.run(&[arg(workspace)]) {
        0 => Err(Error::not_found("workspace", workspace)),
        _ => Ok(()),
    }
}

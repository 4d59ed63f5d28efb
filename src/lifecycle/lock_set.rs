//! Locks are taken before the first write, in one order: workspace, profile, runtime, chat session, agent, issue,
//! autopilot run, quota reservation, quota period, comment, task; several rows of one kind in the order of their ids. A call locks every row that it will
//! write, and every row that an inserted row refers to. Every call that waits for locks follows this order. A call whose
//! locks on runtimes hold up heartbeats or inserts waits for no row that comes after them. A sweep never waits, so it is
//! part of no deadlock.

use std::collections::{BTreeSet, HashSet};

use pgrx::Uuid;

use super::features::Feature;
use crate::error::{Error, Result};
use crate::postgres::statement::{Row, Statement, arg};
use crate::postgres::subtransaction;

static WORKSPACES: Statement = Statement::volatile(sql!("lifecycle/lock_set/workspaces.sql")).of_visible_rows();
static RUNTIMES_KEY_SHARE: Statement = Statement::volatile(sql!("lifecycle/lock_set/runtimes_key_share.sql"));
static RUNTIMES: Statement = Statement::volatile(sql!("lifecycle/lock_set/runtimes.sql"));
static RUNTIMES_NO_KEY_UPDATE: Statement = Statement::volatile(sql!("lifecycle/lock_set/runtimes_no_key_update.sql"));
static INCARNATIONS: Statement = Statement::volatile(sql!("lifecycle/lock_set/incarnations.sql"));
static CHAT_SESSIONS: Statement = Statement::volatile(sql!("lifecycle/lock_set/chat_sessions.sql"));
static AGENTS: Statement = Statement::volatile(sql!("lifecycle/lock_set/agents.sql")).of_visible_rows();
static ISSUES: Statement = Statement::volatile(sql!("lifecycle/lock_set/issues.sql"));
static ISSUES_FOR_UPDATE: Statement = Statement::volatile(sql!("lifecycle/lock_set/issues_for_update.sql"));
static AUTOPILOT_RUNS: Statement = Statement::volatile(sql!("lifecycle/lock_set/autopilot_runs.sql"));
static QUOTA_RESERVATIONS: Statement = Statement::volatile(sql!("lifecycle/lock_set/quota_reservations.sql"));
static QUOTA_PERIODS: Statement = Statement::volatile(sql!("lifecycle/lock_set/quota_periods.sql"));
static COMMENTS: Statement = Statement::volatile(sql!("lifecycle/lock_set/comments.sql"));
static TASKS: Statement = Statement::volatile(sql!("lifecycle/lock_set/tasks.sql")).of_visible_rows().by_id();
static OF_TASKS: Statement = Statement::volatile(sql!("lifecycle/lock_set/of_tasks.sql")).of_visible_rows().by_id();
static OF_RUN: Statement = Statement::volatile(sql!("lifecycle/lock_set/completion_targets.sql")).by_id();
static OPEN_RUNS_OF_ISSUE: Statement = Statement::volatile(sql!("lifecycle/lock_set/open_runs_of_issue.sql")).by_id();
static TRY_RUNTIMES: Statement = Statement::volatile(sql!("lifecycle/lock_set/try_runtimes.sql"));
static TRY_AGENTS: Statement = Statement::volatile(sql!("lifecycle/lock_set/try_agents.sql"));
static TRY_INCARNATIONS: Statement = Statement::volatile(sql!("lifecycle/lock_set/try_incarnations.sql"));
static TRY_CHAT_SESSIONS: Statement = Statement::volatile(sql!("lifecycle/lock_set/try_chat_sessions.sql"));
static TRY_ROWS: Statement = Statement::volatile(sql!("lifecycle/lock_set/try_rows.sql")).of_visible_rows().by_id();
static TRY_TASKS_OF: Statement = Statement::volatile(sql!("lifecycle/lock_set/try_tasks_of.sql"));
static TRY_TASKS: Statement = Statement::volatile(sql!("lifecycle/lock_set/try_tasks.sql")).by_id();

/// How often a call tries to lock rows while it holds runtimes. Each time, it first waits for the rows that were held.
const MAX_ROUNDS: usize = 10;
/// For how many rows of a kind a call waits at most before it tries again. They are often held by one transaction.
const MOST_AWAITED: usize = 10;

/// How strongly runtimes are locked.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub enum Runtimes {
    /// Prevents deletion, because a task is inserted that refers to them.
    #[default]
    KeyShare,
    /// Prevents other writes, for a registration. It does not wait for a session that is inserting a task.
    NoKeyUpdate,
    /// Prevents every insert that refers to them, for a merge or a deletion.
    Update,
}

/// The rows that a call is going to lock, by kind, in the order of locks.
#[derive(Default)]
pub struct LockSet {
    /// Workspaces, which must not be deleted.
    pub workspaces: Vec<Uuid>,
    /// Runtimes, with `strength`.
    pub runtimes: Vec<Uuid>,
    /// Runtimes that a chat session is going to refer to. No task is queued there, so the agents may be bound to others.
    pub referred: Vec<Uuid>,
    /// Those of the runtimes whose registered incarnation is about to be replaced. These rows come directly after the
    /// runtimes; whoever holds one waits for nothing, so the call may wait for it.
    pub replaced: Vec<Uuid>,
    /// Those of the runtimes whose registered incarnations a merge passes on. Only [`acquire_with_runtimes`] locks these
    /// rows, without waiting.
    pub inherited: Vec<Uuid>,
    /// Chat sessions.
    pub chat_sessions: Vec<Uuid>,
    /// Agents. The lock on an agent protects everything about its tasks.
    pub agents: Vec<Uuid>,
    /// Issues whose status may be reset.
    pub issues: Vec<Uuid>,
    /// Autopilot runs. What a run has reserved of its quota is locked with it.
    pub runs: Vec<Uuid>,
    /// Comments that triggered a task.
    pub comments: Vec<Uuid>,
    /// Tasks.
    pub tasks: Vec<Uuid>,
    /// Those of the runtimes of which every task is locked too. Only [`acquire_with_runtimes`] locks these tasks.
    pub emptied: Vec<Uuid>,
    /// How strongly the runtimes are locked.
    pub strength: Runtimes,
}

impl LockSet {
    /// Returns the tasks, and every row that a verdict on them writes or refers to. They are read without locks, so the
    /// caller must check again what it found once [`LockSet::acquire`] has returned.
    pub fn of_tasks(tasks: Vec<Uuid>) -> Self {
        let wanted = OF_TASKS.row(&[arg(tasks.clone())], |row| Self {
            runtimes: row.column("runtimes").unwrap_or_default(),
            ..Self::read(row)
        });
        Self { tasks, ..wanted.unwrap_or_default() }
    }

    /// Returns the rows that the end of a task writes besides the task. The task comes last in the order and is locked
    /// by its own UPDATE. `sets_issue`: whether its issue gets another status, which may end the runs of the issue.
    pub fn of_run(task: Uuid, sets_issue: bool) -> Self {
        let found = OF_RUN.row(&[arg(task), arg(sets_issue)], |row| Self {
            referred: row.column("runtime_id").into_iter().collect(),
            chat_sessions: row.column("chat_session_id").into_iter().collect(),
            agents: vec![row.required("agent_id")],
            issues: row.column("issue_id").into_iter().collect(),
            runs: row.column("autopilot_run_id").into_iter().collect(),
            ..Self::default()
        });
        let mut wanted: Self = found.unwrap_or_default();
        if sets_issue {
            wanted.runs.extend(OPEN_RUNS_OF_ISSUE.rows(&[arg(task)], |row| row.must::<Uuid>(1)));
        }
        wanted
    }

    /// Returns the tasks, and every row that their cancellation writes or refers to. Nothing is queued, so a runtime is
    /// locked only if a chat session may be going to refer to it.
    pub fn of_cancelled(tasks: Vec<Uuid>) -> Self {
        let mut wanted = Self::of_tasks(tasks);
        let runtimes = std::mem::take(&mut wanted.runtimes);
        if !wanted.chat_sessions.is_empty() && Feature::ChatRuntime.is_present() {
            wanted.referred = runtimes;
        }
        wanted
    }

    /// Returns the agent of a task, for a call that writes the task and the status of its agent.
    pub fn of_agent(task: Uuid) -> Self {
        Self { agents: Self::of_run(task, false).agents, ..Self::default() }
    }

    /// Adds runtimes that the call writes, with their workspace.
    pub fn with_written(mut self, workspace: Uuid, runtimes: &[Uuid]) -> Self {
        self.workspaces.push(workspace);
        self.runtimes.extend(runtimes);
        self.strength = Runtimes::NoKeyUpdate;
        self
    }

    /// Adds the incarnations of runtimes that the call replaces; none if it passes no incarnation.
    pub fn with_replaced(mut self, runtimes: &[Uuid], incarnation: Option<Uuid>) -> Self {
        if incarnation.is_some() {
            self.replaced.extend(runtimes);
        }
        self
    }

    fn read(row: &Row) -> Self {
        Self {
            chat_sessions: row.column("chat_sessions").unwrap_or_default(),
            agents: row.column("agents").unwrap_or_default(),
            issues: row.column("issues").unwrap_or_default(),
            runs: row.column("autopilot_runs").unwrap_or_default(),
            comments: row.column("comments").unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Takes the locks and waits for each. If the set has runtimes, tasks may be queued there, so the runtime of each
    /// agent must be among them. Returns 40001 if an agent was bound to another runtime before it was locked, and
    /// another session holds that runtime.
    pub fn acquire(&self) -> Result<()> {
        self.lock_runtimes();
        lock(&CHAT_SESSIONS, &self.chat_sessions);
        self.lock_agents()?;
        lock(&ISSUES, &self.issues);
        lock(&AUTOPILOT_RUNS, &self.runs);
        lock_quota(&self.runs);
        lock(&COMMENTS, &self.comments);
        lock(&TASKS, &self.tasks);
        Ok(())
    }

    fn lock_runtimes(&self) {
        lock(&WORKSPACES, &self.workspaces);
        let runtimes = match self.strength {
            Runtimes::KeyShare => &RUNTIMES_KEY_SHARE,
            Runtimes::NoKeyUpdate => &RUNTIMES_NO_KEY_UPDATE,
            Runtimes::Update => &RUNTIMES,
        };
        if self.referred.is_empty() {
            lock(runtimes, &self.runtimes);
        } else {
            debug_assert!(self.strength == Runtimes::KeyShare);
            lock(runtimes, &[self.runtimes.as_slice(), &self.referred].concat());
        }
        lock(&INCARNATIONS, &self.replaced);
    }

    /// Locks the agents. A runtime that is known only now comes earlier in the order, so the call must not wait for it.
    fn lock_agents(&self) -> Result<()> {
        if self.agents.is_empty() {
            return Ok(());
        }
        let homes: Vec<Option<Uuid>> = AGENTS.rows(&[arg(self.agents.clone())], |row| row.column("runtime_id"));
        let moved: BTreeSet<Uuid> = homes.into_iter().flatten().filter(|home| !self.runtimes.contains(home)).collect();
        if self.runtimes.is_empty() || moved.is_empty() {
            return Ok(());
        }
        let moved: Vec<Uuid> = moved.into_iter().collect();
        if TRY_RUNTIMES.run(&[arg(moved.clone())]) == moved.len() as u64 {
            return Ok(());
        }
        Err(Error::conflict(
            "another session bound the agent for the task to another runtime at the same time",
            format!("The runtime is {}, and another session holds it.", moved[0]),
        ))
    }

    /// Locks the chat sessions of tasks that were found only under these locks. They come earlier in the order, so the
    /// call must not wait for them. Returns 40001 if another session holds one.
    pub fn add_chats_of(&self, tasks: &[Uuid]) -> Result<()> {
        let late: Vec<Uuid> = tasks.iter().copied().filter(|task| !self.tasks.contains(task)).collect();
        if late.is_empty() {
            return Ok(());
        }
        let mut chats = Self::of_tasks(late).chat_sessions;
        chats.retain(|chat| !self.chat_sessions.contains(chat));
        if chats.is_empty() {
            return Ok(());
        }
        let locked = try_chat_sessions(chats.clone());
        match chats.into_iter().find(|chat| !locked.contains(chat)) {
            None => Ok(()),
            Some(chat) => Err(Error::conflict(
                "another session queued a turn of a chat session at the same time",
                format!("The chat session is {chat}, and another session holds it."),
            )),
        }
    }

    /// Locks the rows after the runtimes without waiting. Returns the rows that other sessions hold or that do not
    /// exist.
    pub fn try_rows(&self) -> Self {
        let read = |row: &Row| Self { tasks: row.column("tasks").unwrap_or_default(), ..Self::read(row) };
        let [_, rows @ ..] = self.rows();
        let mut held = TRY_ROWS.row(&rows.map(|ids| arg(ids.clone())), read).unwrap_or_default();
        if !self.inherited.is_empty() {
            held.inherited = TRY_INCARNATIONS.rows(&[arg(self.inherited.clone())], |row| row.must(1));
        }
        if !self.emptied.is_empty() {
            held.tasks.extend(TRY_TASKS_OF.rows(&[arg(self.emptied.clone())], |row| row.must::<Uuid>(1)));
        }
        held
    }

    /// Waits for rows that [`LockSet::try_rows`] could not lock, one by one, and keeps no lock. Rows that do not exist
    /// are added to `missing`.
    fn wait(&self, missing: &mut HashSet<Uuid>) {
        let statements =
            [&INCARNATIONS, &CHAT_SESSIONS, &AGENTS, &ISSUES_FOR_UPDATE, &AUTOPILOT_RUNS, &COMMENTS, &TASKS];
        for (statement, ids) in statements.into_iter().zip(self.rows()) {
            for id in ids.iter().take(MOST_AWAITED) {
                let found = subtransaction::rolled_back(|| {
                    let found = statement.run(&[arg(vec![*id])]);
                    if std::ptr::eq(statement, &AUTOPILOT_RUNS) {
                        lock_quota(&[*id]);
                    }
                    found
                });
                if found == 0 {
                    missing.insert(*id);
                }
            }
        }
    }

    /// The kinds after the runtimes, in order.
    fn rows(&self) -> [&Vec<Uuid>; 7] {
        [&self.inherited, &self.chat_sessions, &self.agents, &self.issues, &self.runs, &self.comments, &self.tasks]
    }

    fn covers(&self, other: &Self) -> bool {
        let places = [(&self.workspaces, &other.workspaces), (&self.runtimes, &other.runtimes)];
        places.into_iter().chain(self.rows().into_iter().zip(other.rows())).all(|(mine, others)| {
            let mine: HashSet<&Uuid> = mine.iter().collect();
            others.iter().all(|id| mine.contains(id))
        })
    }
}

fn lock(statement: &Statement, ids: &[Uuid]) {
    if !ids.is_empty() {
        statement.run(&[arg(ids.to_vec())]);
    }
}

/// Locks what the runs have reserved of their quota, and the periods in which they have. If another session alters the
/// tables, the statements lock nothing.
fn lock_quota(runs: &[Uuid]) {
    if runs.is_empty() || !Feature::Quota.is_present() {
        return;
    }
    let reservations: Vec<Uuid> = QUOTA_RESERVATIONS.rows(&[arg(runs.to_vec())], |row| row.must(1));
    lock(&QUOTA_PERIODS, &reservations);
}

/// Takes the locks of the set that `look` returns, for a call that locks its runtimes FOR UPDATE or FOR NO KEY UPDATE.
/// Heartbeats and inserts of these machines would wait for as long as the call waits, so it waits only for workspaces
/// and runtimes. If another session holds a later row, or if `look` returns more rows under the locks, all locks are
/// released, the call waits for the row while it holds nothing, and tries again. Returns false, without locks, if it
/// has tried [`MAX_ROUNDS`] times.
pub fn acquire_with_runtimes(look: impl Fn() -> LockSet) -> bool {
    let mut missing = HashSet::new();
    let mut held = LockSet::default();
    for _ in 0..MAX_ROUNDS {
        held.wait(&mut missing);
        let wanted = look();
        let settled = subtransaction::commit_if(|| {
            wanted.lock_runtimes();
            held = wanted.try_rows();
            held.rows().into_iter().flatten().all(|id| missing.contains(id)) && wanted.covers(&look())
        });
        if settled {
            return true;
        }
    }
    false
}

/// As [`acquire_with_runtimes`], but returns 40001 if the locks could not be taken.
pub fn acquire_with_runtimes_or_fail(runtimes: &[Uuid], look: impl Fn() -> LockSet) -> Result<()> {
    if acquire_with_runtimes(look) {
        return Ok(());
    }
    let named: Vec<String> = runtimes.iter().map(ToString::to_string).collect();
    Err(Error::conflict(
        "other sessions hold agents or tasks of the runtime",
        format!("The call has tried {MAX_ROUNDS} times to lock the rows of {}.", named.join(", ")),
    ))
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
    match WORKSPACES.run(&[arg(vec![workspace])]) {
        0 => Err(Error::not_found("workspace", workspace)),
        _ => Ok(()),
    }
}

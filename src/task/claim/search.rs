//! The search for tasks that runtimes may claim.

use std::collections::{HashMap, HashSet};

use pgrx::Uuid;
use pgrx::prelude::*;

use super::MAX_TASKS;
use crate::error::Result;
use crate::lifecycle::claim_limits::{ClaimLimits, LimitKey};
use crate::lifecycle::lock_set::{self, LockSet};
use crate::lifecycle::thresholds;
use crate::postgres::snapshot;
use crate::postgres::statement::{Row, Statement, arg};
use crate::settings;

static CANDIDATES: Statement = Statement::volatile(sql!("task/claim/candidates.sql")).in_index_order();

/// A task that may be claimed.
pub struct Candidate {
    /// The task.
    pub task: Uuid,
    /// Its agent.
    pub agent: Uuid,
    /// Its runtime.
    pub runtime: Uuid,
    /// The workspace of its runtime.
    pub workspace: Uuid,
    /// Its chat session.
    pub chat: Option<Uuid>,
    /// Whether it must be cancelled instead: it is of another workspace, or its chat or run was deleted.
    pub is_void: bool,
    /// Whether it is queued; otherwise it is redelivered.
    pub is_queued: bool,
    /// Whether it may have earlier work to resume.
    pub may_resume: bool,
    /// Whether it is a turn of a chat that answers messages of its own.
    pub has_input: bool,
    /// Whether its agent must become `working`.
    pub wakes_agent: bool,
    /// How many queued tasks the agent can take.
    room: i64,
    /// Whether it is one of the tasks of which an agent has only one in flight, because they have neither issue, chat nor
    /// run.
    is_bare: bool,
}

/// A runtime that claims.
struct Claimant {
    id: Uuid,
    /// Whether it is online and was seen lately.
    is_live: bool,
    /// Whether the claim is to set it online.
    needs_sign_of_life: bool,
    /// Whether it has deferred tasks, which may have to be queued first.
    has_deferred: bool,
}

/// What a search looks for.
#[derive(Clone)]
pub struct Search<'a> {
    /// The runtimes whose tasks are returned.
    pub runtimes: &'a [Uuid],
    /// The moment of the claim.
    pub now: TimestampWithTimeZone,
    /// Maximum number of tasks.
    pub limit: i64,
    /// The agents whose tasks are returned, which the caller has locked; None for all.
    pub agents: Option<&'a [Uuid]>,
    /// The only queued tasks that are returned; None for all. It is for a call that claims one given task.
    pub only: Option<&'a [Uuid]>,
    /// Chats that other sessions hold, whose turns are left out.
    pub held_chats: &'a [Uuid],
    /// The limits that the caller has locked; queued tasks below any other limit are left out. None before the locks.
    pub limits: Option<&'a [LimitKey]>,
    /// Whether runtimes count as live that are still to be set online by the claim.
    pub before_sign_of_life: bool,
}

/// The tasks that may be claimed, best first, and the runtimes.
pub struct Candidates {
    /// How many transactions had ended before the search, and how many tasks it was to find at most.
    ended: u64,
    limit: i64,
    claimants: Vec<Claimant>,
    limits: ClaimLimits,
    /// The tasks.
    pub tasks: Vec<Candidate>,
}

impl Search<'_> {
    /// Runs the search. A rule that concerns several tasks of the search, such as one turn per chat on all runtimes,
    /// may leave out tasks that were found; then it searches once more for a greater number.
    pub fn run(&self) -> Candidates {
        let most = if self.held_chats.is_empty() { self.limit } else { MAX_TASKS };
        let (found, is_complete) = self.run_once(most);
        if is_complete || most == MAX_TASKS { found } else { self.run_once(MAX_TASKS).0 }
    }

    /// Finds at most `most` tasks per runtime. Returns those that may be claimed together, and whether a search for more
    /// would not find others.
    fn run_once(&self, most: i64) -> (Candidates, bool) {
        let ended = snapshot::ended_transactions();
        let limits = match self.limits {
            None => ClaimLimits::of(self.runtimes),
            Some(held) => ClaimLimits::of(self.runtimes).held(held),
        };
        let room_of = |runtime: &Uuid| limits.room_of(*runtime);
        let rooms = (!limits.is_empty()).then(|| self.runtimes.iter().map(room_of).collect::<Vec<Option<i64>>>());
        let stale = thresholds::stale_after().secs;
        let args = [
            arg(self.runtimes.to_vec()),
            arg(self.now),
            arg(settings::redeliver_after_secs()),
            arg(stale / 3.0),
            arg(self.agents.map(<[Uuid]>::to_vec)),
            arg(most),
            arg(stale),
            arg(rooms),
            arg(self.only.map(<[Uuid]>::to_vec)),
        ];
        let mut claimants: Vec<Claimant> = Vec::new();
        let rows = CANDIDATES.rows(&args, |row| (claimant(row), candidate(row)));
        let mut tasks = Vec::new();
        for (claimant, candidate) in rows {
            let is_live = claimant.is_live || (self.before_sign_of_life && claimant.needs_sign_of_life);
            tasks.extend(candidate.filter(|_| is_live));
            if claimants.iter().all(|known| known.id != claimant.id) {
                claimants.push(claimant);
            }
        }
        tasks.retain(|task| task.chat.is_none_or(|chat| !self.held_chats.contains(&chat)));
        let found = tasks.len();
        let tasks = self.admit(tasks, limits.clone());
        let is_complete = tasks.len() == found || tasks.len() as i64 == self.limit;
        (Candidates { ended, limit: self.limit, claimants, limits, tasks }, is_complete)
    }

    /// Returns the best tasks that may be claimed together. For each task by itself there is room.
    fn admit(&self, found: Vec<Candidate>, mut limits: ClaimLimits) -> Vec<Candidate> {
        let mut taken_of: HashMap<Uuid, i64> = HashMap::new();
        let mut chats = HashSet::new();
        let mut bare = HashSet::new();
        let mut may_be_claimed = |task: &Candidate| {
            if !task.is_queued || task.is_void {
                return true;
            }
            let taken = taken_of.entry(task.agent).or_default();
            let is_free = *taken < task.room
                && task.chat.is_none_or(|chat| !chats.contains(&chat))
                && !(task.is_bare && bare.contains(&task.agent));
            if !is_free || !limits.take(task.runtime) {
                return false;
            }
            *taken += 1;
            chats.extend(task.chat);
            if task.is_bare {
                bare.insert(task.agent);
            }
            true
        };
        found.into_iter().filter(|task| may_be_claimed(task)).take(self.limit as usize).collect()
    }
}

fn claimant(row: &Row) -> Claimant {
    Claimant {
        id: row.required("runtime_id"),
        is_live: row.required("is_live"),
        needs_sign_of_life: row.required("needs_sign_of_life"),
        has_deferred: row.required("has_deferred"),
    }
}

fn candidate(row: &Row) -> Option<Candidate> {
    row.column("task_id").map(|task| Candidate {
        task,
        agent: row.required("agent_id"),
        runtime: row.required("runtime_id"),
        workspace: row.required("workspace_id"),
        chat: row.column("chat_session_id"),
        is_void: row.required("is_void"),
        is_queued: row.required("is_queued"),
        may_resume: row.required("may_resume"),
        has_input: row.required("has_input"),
        wakes_agent: row.required("wakes_agent"),
        room: row.required("room"),
        is_bare: row.required("is_bare"),
    })
}

impl Candidates {
    /// Returns the runtimes that exist.
    pub fn known(&self) -> impl Iterator<Item = Uuid> {
        self.claimants.iter().map(|claimant| claimant.id)
    }

    /// Returns the runtimes that the claim is to set online, in the order of their ids.
    pub fn silent(&self) -> Vec<Uuid> {
        let mut silent: Vec<Uuid> =
            self.claimants.iter().filter(|claimant| claimant.needs_sign_of_life).map(|claimant| claimant.id).collect();
        silent.sort_unstable();
        silent
    }

    /// Returns the runtimes that have deferred tasks.
    pub fn with_deferred(&self) -> impl Iterator<Item = Uuid> {
        self.claimants.iter().filter(|claimant| claimant.has_deferred).map(|claimant| claimant.id)
    }

    /// Returns the limits of the queued tasks.
    pub fn limits(&self) -> Vec<LimitKey> {
        if self.limits.is_empty() {
            return Vec::new();
        }
        let queued = self.tasks.iter().filter(|task| task.is_queued);
        self.limits.keys_of(&queued.map(|task| task.runtime).collect())
    }

    /// Locks the agents of the candidates without waiting, and returns those that it could lock.
    pub fn lock_agents(&self) -> Vec<Uuid> {
        let mut agents = self.agents();
        agents.sort_unstable();
        lock_set::try_agents(&agents)
    }

    /// Locks the best agent that can be locked without waiting; if there is none, waits for the best agent. The caller
    /// holds no lock yet.
    pub fn lock_an_agent(&self) -> Result<Vec<Uuid>> {
        let agents = self.agents();
        for agent in &agents {
            let locked = lock_set::try_agents(&[*agent]);
            if !locked.is_empty() {
                return Ok(locked);
            }
        }
        let best: Vec<Uuid> = agents.into_iter().take(1).collect();
        LockSet { agents: best.clone(), ..LockSet::default() }.acquire()?;
        Ok(best)
    }

    /// Returns the candidates that were read without locks, if a search under the locks would return the same: all
    /// their agents and limits are locked, and no transaction that may have changed anything has ended since.
    pub fn if_current(self, agents: &[Uuid], limits: &[LimitKey], limit: i64) -> Option<Self> {
        let is_current = self.limit == limit
            && self.agents().len() == agents.len()
            && self.limits().len() == limits.len()
            && snapshot::ended_transactions() == self.ended;
        is_current.then_some(self)
    }

    /// Returns the agents of the candidates, best first.
    fn agents(&self) -> Vec<Uuid> {
        let mut agents: Vec<Uuid> = Vec::new();
        for candidate in &self.tasks {
            if !agents.contains(&candidate.agent) {
                agents.push(candidate.agent);
            }
        }
        agents
    }

    /// Locks the chats of the candidates of these agents without waiting, because chats come before agents in the order
    /// of locks. Returns those that it could lock, and adds the others to `held`.
    pub fn lock_chats(&self, agents: &[Uuid], held: &mut Vec<Uuid>) -> Vec<Uuid> {
        let tasks = self.tasks.iter();
        let of_agents = tasks.filter(|candidate| agents.contains(&candidate.agent));
        let chats: Vec<Uuid> = of_agents.filter_map(|candidate| candidate.chat).collect();
        if chats.is_empty() {
            return chats;
        }
        let locked = lock_set::try_chat_sessions(chats.clone());
        held.extend(chats.into_iter().filter(|chat| !locked.contains(chat)));
        locked
    }
}

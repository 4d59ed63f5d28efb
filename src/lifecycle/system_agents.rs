//! The agents that the server creates for a runtime, at most one per owner and key. If runtimes that are merged have the
//! same one, the work of one agent goes to the other.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::consequences;
use super::features::Feature;
use super::lock_set::LockSet;
use crate::postgres::statement::{Arg, Row, Statement, arg};

static IN_THE_WAY: Statement = Statement::volatile(sql!("lifecycle/merge/system_agents.sql"));
static ROWS: Statement = Statement::volatile(sql!("lifecycle/merge/rows_of_system_agents.sql"));
static GIVE_CHATS: Statement = Statement::volatile(sql!("lifecycle/merge/give_chats.sql"));
static GIVE_TASKS: Statement = Statement::volatile(sql!("lifecycle/merge/give_tasks.sql"));
static GIVE_TOKENS: Statement = Statement::volatile(sql!("lifecycle/merge/give_tokens.sql"));
static RETIRE: Statement = Statement::volatile(sql!("lifecycle/merge/retire_system_agents.sql"));

/// System agents whose work goes to others, because these have the same owner and key on the runtime of a merge.
#[derive(Default)]
pub struct Joined {
    /// The agents that lose their work.
    pub agents: Vec<Uuid>,
    /// The agent that gets the work of the one at the same place.
    pub kept: Vec<Uuid>,
}

/// Adds to the locks of a merge or a deletion the system agents of all its runtimes, and the chat sessions and tasks of
/// those on the runtimes that are `leaving`. A task that another agent gets must not wait at the pending slot while
/// the runtimes are locked, so the issue of such a task is locked too, and with it every session that is inserting a
/// task of this issue; and the task that is in the slot, and with it every session that is ending this task.
pub fn with_system_agents(runtimes: &[Uuid], leaving: &[Uuid], mut wanted: LockSet) -> LockSet {
    if !Feature::SystemAgents.is_present() {
        return wanted;
    }
    let read = |name: &str, row: &Row| row.column::<Vec<Uuid>>(name).unwrap_or_default();
    let rows = ROWS.row(&[arg(runtimes.to_vec()), arg(leaving.to_vec())], |row| {
        [read("chat_sessions", row), read("agents", row), read("issues", row), read("tasks", row)]
    });
    let [chats, agents, issues, tasks] = rows.unwrap_or_default();
    wanted.chat_sessions.extend(chats);
    wanted.agents.extend(agents);
    wanted.issues.extend(issues);
    wanted.tasks.extend(tasks);
    wanted
}

impl Joined {
    /// Finds the system agents of the runtimes in `from` that cannot be bound to the runtime at the same place in `to`,
    /// gives their chat sessions to the agents that are there, and archives them. Their tasks stay until
    /// [`Joined::give_tasks`]. The caller holds the locks of [`with_system_agents`].
    pub fn archive(from: &[Uuid], to: &[Uuid], now: TimestampWithTimeZone) -> Self {
        if !Feature::SystemAgents.is_present() {
            return Self::default();
        }
        let pairs: Vec<(Uuid, Uuid)> =
            IN_THE_WAY.rows(&[arg(from.to_vec()), arg(to.to_vec())], |row| (row.required("id"), row.required("kept")));
        let (agents, kept): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
        let joined = Self { agents, kept };
        if !joined.agents.is_empty() {
            GIVE_CHATS.run(&joined.args());
            RETIRE.run(&[arg(joined.agents.clone()), arg(now)]);
        }
        joined
    }

    /// Gives the tasks that the archived agents have on other runtimes, and the tokens of all their tasks, to the agents
    /// that are kept, and sets the status of both. Returns the agents that have changed.
    pub fn give_tasks(&self, now: TimestampWithTimeZone) -> Vec<Uuid> {
        if self.agents.is_empty() {
            return Vec::new();
        }
        GIVE_TASKS.run(&self.args());
        if Feature::Token.is_present() {
            GIVE_TOKENS.run(&self.args());
        }
        let mut changed = consequences::reconcile(&[&self.agents[..], &self.kept[..]].concat(), now);
        changed.extend(&self.agents);
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn args(&self) -> [Arg; 2] {
        [arg(self.agents.clone()), arg(self.kept.clone())]
    }
}

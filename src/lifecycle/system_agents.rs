//! The agents that the server creates for a runtime, at most one per owner and key. If runtimes that are merged have the
//! same one, the work of one agent goes to the other. No work is given to an archived agent if another one is there, and
//! the work of an archived agent stays with it.

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

/// System agents that lose their key, because others have the same owner and key on the runtime of a merge.
#[derive(Default)]
pub struct Joined {
    /// The agents whose work goes to others.
    pub agents: Vec<Uuid>,
    /// The agent that gets the work of the one at the same place.
    pub kept: Vec<Uuid>,
    /// All agents that lose their key. Some were archived before, and these keep their work.
    retired: Vec<Uuid>,
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
    /// Finds the system agents that cannot keep their key when those of the runtimes in `from` are bound to the runtime
    /// at the same place in `to`, gives their chat sessions to the agents that keep the key, and archives them. Their
    /// tasks stay until [`Joined::give_tasks`]. The caller holds the locks of [`with_system_agents`].
    pub fn archive(from: &[Uuid], to: &[Uuid], now: TimestampWithTimeZone) -> Self {
        if !Feature::SystemAgents.is_present() {
            return Self::default();
        }
        let mut joined = Self::default();
        let args = [arg(from.to_vec()), arg(to.to_vec())];
        for (agent, kept, is_archived) in IN_THE_WAY.rows(&args, |row| -> (Uuid, Uuid, bool) {
            (row.required("id"), row.required("kept"), row.required("is_archived"))
        }) {
            joined.retired.push(agent);
            if !is_archived {
                joined.agents.push(agent);
                joined.kept.push(kept);
            }
        }
        if !joined.agents.is_empty() {
            GIVE_CHATS.run(&joined.args());
        }
        if !joined.retired.is_empty() {
            RETIRE.run(&[arg(joined.retired.clone()), arg(now)]);
        }
        joined
    }

    /// Gives the tasks that the archived agents have on other runtimes, and the tokens of all their tasks, to the agents
    /// that are kept, and sets the status of both. Returns the agents that have changed.
    pub fn give_tasks(&self, now: TimestampWithTimeZone) -> Vec<Uuid> {
        let mut changed = self.retired.clone();
        if !self.agents.is_empty() {
            GIVE_TASKS.run(&self.args());
            if Feature::Token.is_present() {
                GIVE_TOKENS.run(&self.args());
            }
            changed.extend(consequences::reconcile(&[&self.agents[..], &self.kept[..]].concat(), now));
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn args(&self) -> [Arg; 2] {
        [arg(self.agents.clone()), arg(self.kept.clone())]
    }
}

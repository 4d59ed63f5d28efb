//! A runtime asks for work.
//!
//! The agent's row is the mutex of its capacity and of its pairs: what is chosen without locks is chosen again under
//! them, on a fresh snapshot. Agents that others hold are passed over; only when all of them are held is one waited for,
//! and only while nothing else is held.

use pgrx::Uuid;
use pgrx::prelude::*;
use serde_json::json;

use super::cancel::cancel;
use crate::argument::required;
use crate::clock;
use crate::entry::entry;
use crate::error::{Error, Result};
use crate::event::{Events, Told};
use crate::json::Jsonb;
use crate::kind::Claimed;
use crate::lock::{self, Wanted};
use crate::other_kind::no_runtime;
use crate::row::{Composite, set};
use crate::runtime;
use crate::settings;
use crate::spi::{self, Statement, arg};

static CHOOSE: Statement =
    Statement::write(include_str!("../../sql/task/choose.sql")).in_index_order();
static CLAIM: Statement = Statement::write(include_str!("../../sql/task/claim.sql")).by_id();
static WAKE: Statement = Statement::write(include_str!("../../sql/task/wake_agents.sql")).by_id();

extension_sql_file!(
    "../../sql/install/comments/claim.sql",
    name = "claim_comments",
    requires = [multica_claim]
);

/// Most tasks that one call hands out.
const MOST: i64 = 100;
/// Times that a claim looks again when what it chose was taken by others meanwhile.
const LOOKS: usize = 3;

struct Choice {
    task: Uuid,
    agent: Uuid,
    chat: Option<Uuid>,
    is_void: bool,
    queued: bool,
    wakes_agent: bool,
}

/// What may be handed out, and what the runtime's row says.
struct Look {
    /// How many transactions had ended before it, and how many tasks it was to find.
    ended: u64,
    most: i64,
    workspace: Uuid,
    needs_sign_of_life: bool,
    choices: Vec<Choice>,
}

impl Look {
    fn take(
        runtime: Uuid,
        agents: Option<Vec<Uuid>>,
        most: i64,
        now: TimestampWithTimeZone,
    ) -> Result<Self> {
        let ended = spi::ended_transactions();
        let args = [
            arg(runtime),
            arg(now),
            arg(settings::redeliver_after_secs()),
            arg(settings::stale_after_secs() / 3.0),
            arg(agents),
            arg(most),
        ];
        let rows = CHOOSE.rows(&args, |row| {
            let choice = row.get(3).map(|task| Choice {
                task,
                agent: row.must(4),
                chat: row.get(5),
                is_void: row.must(6),
                queued: row.must(7),
                wakes_agent: row.must(8),
            });
            (row.must(1), row.must(2), choice)
        });
        let (workspace, needs_sign_of_life) = rows
            .first()
            .map(|(workspace, sign, _)| (*workspace, *sign))
            .ok_or_else(|| no_runtime(Error::not_found("runtime", runtime), runtime))?;
        let choices = rows
            .into_iter()
            .filter_map(|(_, _, choice)| choice)
            .collect();
        Ok(Self {
            ended,
            most,
            workspace,
            needs_sign_of_life,
            choices,
        })
    }

    /// Locks the agents chosen from, as far as they are free.
    fn lock_agents(&self) -> Vec<Uuid> {
        let mut agents = self.agents();
        agents.sort_unstable();
        lock::try_agents(&agents)
    }

    /// Locks the best agent that is free; where none is, waits for the best. The caller holds nothing yet.
    fn lock_an_agent(&self) -> Vec<Uuid> {
        let agents = self.agents();
        for agent in &agents {
            let locked = lock::try_agents(&[*agent]);
            if !locked.is_empty() {
                return locked;
            }
        }
        let best: Vec<Uuid> = agents.into_iter().take(1).collect();
        Wanted {
            agents: best.clone(),
            ..Wanted::default()
        }
        .take();
        best
    }

    /// What was seen without locks, where under them the same would be seen: all that was chosen from is locked, and no
    /// transaction that may have changed anything has ended since.
    fn if_current(self, agents: &[Uuid], most: i64) -> Option<Self> {
        let is_current = self.most == most
            && self.agents().len() == agents.len()
            && spi::ended_transactions() == self.ended;
        is_current.then_some(self)
    }

    /// The agents chosen from, best first.
    fn agents(&self) -> Vec<Uuid> {
        let mut agents: Vec<Uuid> = Vec::new();
        for choice in &self.choices {
            if !agents.contains(&choice.agent) {
                agents.push(choice.agent);
            }
        }
        agents
    }

    /// Locks the chats of what these agents may be handed.
    fn lock_chats(&self, agents: &[Uuid]) -> Vec<Uuid> {
        let choices = self.choices.iter();
        let of_agents = choices.filter(|choice| agents.contains(&choice.agent));
        let chats: Vec<Uuid> = of_agents.filter_map(|choice| choice.chat).collect();
        Wanted {
            chat_sessions: chats.clone(),
            ..Wanted::default()
        }
        .take();
        chats
    }
}

/// Hands out up to `max_tasks` tasks of a runtime, first those that it claimed and never started, then the best that wait.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_claim(
    runtime_id: Option<Uuid>,
    max_tasks: default!(Option<i32>, "1"),
) -> SetOfIterator<'static, Composite<Claimed>> {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        let most = match required("max_tasks", max_tasks)? {
            negative if negative < 0 => {
                let problem = format!("{negative} is below zero");
                let hint = format!("Pass 0 or more; above {MOST} is {MOST}.");
                return Err(Error::invalid("max_tasks", problem, hint));
            }
            most => i64::from(most).min(MOST),
        };
        let now = clock::now();
        let mut events = Events::default();
        let mut look = Look::take(runtime, None, most, now)?;
        let mut silent = look.needs_sign_of_life;
        let mut claimed = Vec::new();
        for at in 0..LOOKS {
            if look.choices.is_empty() {
                break;
            }
            let mut agents = look.lock_agents();
            if agents.is_empty() && at == 0 {
                look = Look::take(runtime, None, MOST, now)?;
                agents = look.lock_an_agent();
            }
            // The runtime's row comes after the agents and before the chats, as in every call.
            let revived = std::mem::take(&mut silent);
            if revived {
                runtime::revive(vec![runtime], now, &mut events);
            }
            let chats = look.lock_chats(&agents);
            let current = look.if_current(&agents, most).filter(|_| !revived);
            claimed = claim(runtime, &agents, &chats, most, current, now, &mut events)?;
            if !claimed.is_empty() {
                break;
            }
            look = Look::take(runtime, None, most, now)?;
        }
        if silent {
            runtime::revive(vec![runtime], now, &mut events);
        }
        events.record(now);
        Ok(set(claimed))
    })
}

/// Chooses again under the locks, unless what was seen is `current`, and hands out; tasks of another workspace than the
/// runtime's, or whose chat or run was deleted, are cancelled instead, and what else may be handed out is chosen once more: however many there are, a look
/// cancels one batch of them, of each agent as many as it has room for.
fn claim(
    runtime: Uuid,
    agents: &[Uuid],
    chats: &[Uuid],
    most: i64,
    current: Option<Look>,
    now: TimestampWithTimeZone,
    events: &mut Events,
) -> Result<Vec<Composite<Claimed>>> {
    // Turns of a chat that is not locked are left: a second look may find others than the first.
    let is_locked = |chat| chats.contains(&chat);
    let choose = |most| -> Result<Look> {
        let mut look = Look::take(runtime, Some(agents.to_vec()), most, now)?;
        look.choices
            .retain(|choice| choice.chat.is_none_or(is_locked));
        Ok(look)
    };
    let mut look = match current {
        Some(look) => look,
        None => choose(most)?,
    };
    if look.choices.iter().any(|choice| choice.is_void) {
        let all = choose(MOST)?.choices.into_iter();
        let void: Vec<Uuid> = all
            .filter(|choice| choice.is_void)
            .map(|choice| choice.task)
            .collect();
        // Agents and chats are locked, and a cancel writes neither issue nor runtime.
        Wanted {
            runs: Wanted::of_tasks(void.clone()).runs,
            tasks: void.clone(),
            ..Wanted::default()
        }
        .take();
        cancel(void, now, events);
        look = choose(most)?;
        look.choices.retain(|choice| !choice.is_void);
    }
    if look.choices.is_empty() {
        return Ok(Vec::new());
    }
    let chosen: Vec<Uuid> = look.choices.iter().map(|choice| choice.task).collect();
    let args = [arg(chosen), arg(now), arg(runtime), arg(look.workspace)];
    let mut tell = Told::reader();
    let claimed = CLAIM.rows(&args, |row| {
        let told = tell(row).within(Some(look.workspace));
        let told = told.with_context(row.column::<Jsonb>("context").is_some());
        (told, Composite::from_row(row))
    });
    let (told, rows): (Vec<_>, Vec<_>) = claimed.into_iter().unzip();
    let choice_of = |task: Uuid| look.choices.iter().find(|choice| choice.task == task);
    let woken = told
        .iter()
        .filter_map(|task| choice_of(task.id()))
        .filter(|choice| choice.wakes_agent);
    let agents: Vec<Uuid> = woken.map(|choice| choice.agent).collect();
    if !agents.is_empty() {
        for agent in WAKE.rows(&[arg(agents), arg(now)], |row| row.must(1)) {
            events.push("agent:status", agent, json!({}));
        }
    }
    for task in &told {
        if choice_of(task.id()).is_some_and(|choice| choice.queued) {
            events.task("task:dispatch", task);
        }
    }
    Ok(rows)
}

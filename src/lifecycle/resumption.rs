//! A run that outlives its verdict: its process takes over the retry of the task, instead of another run.
//!
//! A machine that was only asleep is silent, so a sweep fails its tasks and queues their retries. When it wakes up, the
//! agents go on, and their process still has the claim tokens. As long as no process has a retry, the process of the
//! failed task can take it over: the retry is claimed and started at once, and the failed task stays as it is.
//!
//! The lock on the agent protects the retry, as it protects every task of the agent. What was read before the lock is
//! read again under it.

use std::cell::LazyCell;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::claim_limits::ClaimLimits;
use super::consequences::{RUNTIME_OFFLINE, Reason, TIMEOUT};
use super::event::{Call, TaskSnapshot};
use super::features::Feature;
use super::incarnation;
use super::thresholds;
use crate::error::{Error, Result};
use crate::postgres::clock;
use crate::postgres::statement::{Row, Statement, arg};

static LOOK: Statement = Statement::volatile(sql!("lifecycle/resumption/look.sql")).in_index_order();
static TAKE_OVER: Statement = Statement::volatile(sql!("lifecycle/resumption/take_over.sql")).by_id();
static RECORD: Statement = Statement::volatile(sql!("lifecycle/resumption/record.sql")).by_id();

/// The verdicts on silence. Their texts distinguish them from what a daemon reports itself.
const SILENCE: [Reason; 2] = [RUNTIME_OFFLINE, TIMEOUT];

/// A task that silence failed, and its retry.
pub struct Link {
    /// The failed task.
    pub failed: Uuid,
    /// Time of the claim of the failed task.
    pub claimed_at: TimestampWithTimeZone,
    /// Runtime of the failed task.
    pub runtime: Uuid,
    /// Agent of the failed task.
    pub agent: Uuid,
    /// Chat session of the failed task.
    pub chat: Option<Uuid>,
    /// The retry.
    pub retry: Uuid,
    /// Time of the last claim of the retry.
    pub retry_claimed_at: Option<TimestampWithTimeZone>,
    /// Whether no process has the retry.
    pub is_waiting: bool,
    /// Whether a process has the retry.
    pub is_in_flight: bool,
    /// Whether the process of the failed task has taken the retry over, at its last claim.
    pub is_taken: bool,
    /// Why the retry cannot be taken over although it is waiting.
    pub hindrance: Option<Hindrance>,
    /// Whether the agent can have one more task in flight.
    pub has_room: bool,
    /// Whether the runtime is offline, or was last seen long ago.
    pub needs_sign_of_life: bool,
    /// Whether the runtime is offline because it cannot run any task.
    pub is_not_executable: bool,
    /// Incarnation of the process, if it passed one when it claimed the failed task.
    process: Option<Uuid>,
    /// Whether another process has registered the runtime since.
    is_replaced: bool,
}

/// Why a waiting retry cannot be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The agent is archived.
    Archived,
    /// The agent or the retry belongs to another runtime.
    Moved,
    /// The retry is about something else than the failed task.
    Changed,
    /// Newer work has taken its place.
    Replaced,
}

impl Hindrance {
    fn read(word: &str) -> Self {
        match word {
            "archived" => Self::Archived,
            "moved" => Self::Moved,
            "changed" => Self::Changed,
            _ => Self::Replaced,
        }
    }

    /// Returns the reason for people, as a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::Archived => "Its agent is archived.",
            Self::Moved => "Its agent or its retry belongs to another runtime now.",
            Self::Changed => "Its retry has other work now.",
            Self::Replaced => "Newer work has taken the place of its retry.",
        }
    }
}

impl Link {
    fn read(row: &Row) -> Self {
        Self {
            failed: row.required("task_id"),
            claimed_at: row.required("claimed_at"),
            runtime: row.required("runtime_id"),
            agent: row.required("agent_id"),
            chat: row.column("chat_session_id"),
            retry: row.required("retry_id"),
            retry_claimed_at: row.column("retry_claimed_at"),
            is_waiting: row.required("is_waiting"),
            is_in_flight: row.required("is_in_flight"),
            is_taken: row.required("is_taken"),
            hindrance: row.column("hindrance").map(Hindrance::read),
            has_room: row.required("has_room"),
            needs_sign_of_life: row.required("needs_sign_of_life"),
            is_not_executable: row.required("is_not_executable"),
            process: row.column("process"),
            is_replaced: row.required("is_replaced"),
        }
    }

    /// Returns the task and its retry as they are now; None if silence has not failed the task, or if it has no retry.
    pub fn of(failed: Uuid) -> Option<Self> {
        look(vec![failed]).pop()
    }

    /// Returns 55000 (superseded) if another process has registered the runtime since the claim of the failed task.
    pub fn check_process(&self) -> Result<()> {
        self.process.map_or(Ok(()), |process| incarnation::check(self.runtime, process))
    }

    /// As [`Link::check_process`], and prevents another process from registering until the end of the transaction. The
    /// caller must wait for no row after this.
    pub fn hold_process(&self) -> Result<()> {
        self.process.map_or(Ok(()), |process| incarnation::hold(self.runtime, process))
    }

    /// Sets the retry running for the process of the failed task, and announces it. The caller holds the agent and the
    /// retry. Returns 55000 if a trigger keeps the row unchanged.
    pub fn take_over(&self, call: &mut Call) -> Result<TaskSnapshot> {
        let args = [arg(self.retry), arg(self.failed), arg(call.now())];
        let Some(retry) = TaskSnapshot::read(&TAKE_OVER, &args).pop() else {
            return Err(Error::kept_out(
                format!("task {} could not be taken over", self.retry),
                "A trigger on agent_task_queue keeps the row unchanged.",
            ));
        };
        RECORD.run(&args[..2]);
        call.task_resumed(&retry, self.failed);
        Ok(retry)
    }
}

fn look(tasks: Vec<Uuid>) -> Vec<Link> {
    let [words, errors] = [SILENCE.map(|reason| reason.word), SILENCE.map(|reason| reason.error)].map(Vec::from);
    let sign_of_life_after = thresholds::stale_after().secs / 3.0;
    LOOK.rows(&[arg(tasks), arg(words), arg(errors), arg(clock::now()), arg(sign_of_life_after)], Link::read)
}

/// Whether the tables store which retries were taken over. An update of the extension does not add this; install does.
pub fn is_recorded() -> bool {
    Feature::Resumption.is_present()
}

/// Returns those of the tasks that ended on the runtime and that its process can resume, in the given order. They are
/// read without locks.
pub fn resumable(runtime: Uuid, ended: &[Uuid]) -> Vec<Uuid> {
    if ended.is_empty() || !is_recorded() {
        return Vec::new();
    }
    let links = look(ended.to_vec());
    let is_below_limits = LazyCell::new(|| ClaimLimits::of(&[runtime]).room_of(runtime) != Some(0));
    let can_resume = |link: &Link| {
        let is_free = link.is_waiting && link.hindrance.is_none() && link.has_room && !link.is_replaced;
        link.runtime == runtime && ((is_free && *is_below_limits) || (link.is_taken && link.is_in_flight))
    };
    let resumable: Vec<Uuid> = links.iter().filter(|link| can_resume(link)).map(|link| link.failed).collect();
    ended.iter().copied().filter(|task| resumable.contains(task)).collect()
}

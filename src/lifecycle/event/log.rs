//! The ids of the event log. The next id must be greater than every id that a reader can have; this module checks it,
//! and restarts the log if it is not.
//!
//! The sequence of the log is not copied together with its rows. If the sequence is behind the rows, or if the log is
//! on another server than before, the log restarts at an id that no reader can have, so that a position in the old log
//! is never used as a position in this log.

use std::cell::Cell;

use pgrx::prelude::*;

use crate::error::{Error, Result, Word};
use crate::postgres::advisory_lock::{FIRST_KEY, LAST_ID, LAST_KEY};
use crate::postgres::role::as_role;
use crate::postgres::statement::{Row, Statement, arg};

static OWNER: Statement = Statement::volatile(sql!("lifecycle/event/owner.sql"));
static LOOK: Statement = Statement::stable(sql!("lifecycle/event/look.sql"));
static ONE_AT_A_TIME: Statement = Statement::volatile(sql!("lifecycle/event/one_at_a_time.sql"));
static RESTART: Statement = Statement::volatile(sql!("lifecycle/event/restart.sql"));
static FIRST_MARK: Statement = Statement::volatile(sql!("lifecycle/event/first_mark.sql"));
static MAKE_ROW: Statement = Statement::volatile(sql!("lifecycle/event/make_state_row.sql"));
static LOCK_STATE: Statement = Statement::volatile(sql!("lifecycle/event/lock_state.sql"));
static MARK: Statement = Statement::volatile(sql!("lifecycle/event/mark.sql"));

/// The statement by which the log restarts, for the list that install returns.
const RESTART_SHORTLY: &str =
    "SELECT setval('multica_event_log_id_seq', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)";

/// No session draws more ids than this between two checks. A larger step means that the log was restarted, perhaps in a
/// transaction that was rolled back.
const LEAP: i64 = 1 << 32;

thread_local! {
    /// The highest value of the sequence that this session has read since its last check found no problem; None if
    /// there was no such check.
    static MET: Cell<Option<i64>> = const { Cell::new(None) };
    /// The transaction in which this session restarted the log. It may still be rolled back.
    static MENDED_IN: Cell<pg_sys::TransactionId> = const { Cell::new(pg_sys::InvalidTransactionId) };
}

/// What is wrong with the ids of the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The sequence is behind the rows, the trimmed events, or the position of a reader.
    Behind,
    /// There are rows, and it is unknown which events before them were trimmed.
    StateLost,
    /// The log was written on another server, or in another database, than this.
    Elsewhere,
    /// Nothing is wrong, but it is not recorded yet where the log is.
    Unmarked,
    /// Nothing is wrong, but the state has no row yet.
    New,
}

impl Problem {
    fn named(word: &str) -> Self {
        match word {
            "behind" => Self::Behind,
            "state_lost" => Self::StateLost,
            "elsewhere" => Self::Elsewhere,
            "unmarked" => Self::Unmarked,
            _ => Self::New,
        }
    }

    /// Whether the log must restart.
    fn is_break(self) -> bool {
        !matches!(self, Self::Unmarked | Self::New)
    }

    /// Describes the problem for the operator.
    fn says(self) -> &'static str {
        match self {
            Self::Behind => "the sequence of the event log is behind its rows",
            Self::StateLost => "the event log has rows, but multica_sweep_state has none",
            Self::Elsewhere => "the event log was written on another server or in another database",
            Self::Unmarked | Self::New => "the event log is new",
        }
    }
}

/// The log as a check found it.
pub struct Log {
    problem: Option<Problem>,
    /// Enabled subscriptions that write into the log.
    subscriptions: Vec<String>,
    last_id: i64,
    highest_id: i64,
    trimmed_to: i64,
    here: Option<String>,
}

impl Log {
    fn read(row: &Row) -> Self {
        let problem: Option<String> = row.column("problem");
        Self {
            problem: problem.as_deref().map(Problem::named),
            subscriptions: row.required("subscriptions"),
            last_id: row.required("last_id"),
            highest_id: row.required("highest_id"),
            trimmed_to: row.required("trimmed_to"),
            here: row.column("here"),
        }
    }

    /// Reads the log as it is now, whatever the caller's snapshot shows; None if the tables are missing.
    fn latest() -> Option<Self> {
        LOOK.latest().row(&[arg(FIRST_KEY), arg(LAST_KEY)], Self::read)
    }

    /// Returns the statements that disable each subscription that writes into the log, in one line; None if there is none.
    fn disable_subscriptions(&self) -> Option<String> {
        let statements: Vec<String> =
            self.subscriptions.iter().map(|name| format!("ALTER SUBSCRIPTION {name} DISABLE")).collect();
        (!statements.is_empty()).then(|| statements.join("; "))
    }

    /// Reads the log in the caller's snapshot, as the current role; None if the tables are missing.
    pub fn glance() -> Option<Self> {
        LOOK.row(&[arg(FIRST_KEY), arg(LAST_KEY)], Self::read)
    }

    /// Describes the problem that prevents the next id, if there is one.
    pub fn trouble(&self) -> Option<String> {
        let problem = self.problem.filter(|problem| problem.is_break())?;
        Some(match self.subscriptions.as_slice() {
            [] => problem.says().into(),
            [name] => format!("{}, and subscription {name} writes into it", problem.says()),
            names => format!("{}, and subscriptions {} write into it", problem.says(), names.join(", ")),
        })
    }

    fn needs_restart(&self) -> bool {
        self.problem.is_some_and(Problem::is_break)
    }
}

/// The kind of call that needs correct ids.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A call that is about to record events. The first such call also makes the row of the state.
    Recorder,
    /// A reader. Nothing is written for a reader unless there is a problem.
    Reader {
        /// Id of the last event that it has read.
        after: i64,
    },
}

/// Makes sure that the next id is greater than every id that a reader can have; `drawn` is the value of the sequence.
/// The log is checked once per session. It is checked again if the sequence has moved back or jumped since then, or if
/// a reader passes an id `after` that was not drawn; in every other case the result of the last check is still valid.
pub fn ensure_next_id(drawn: i64, asker: Asker) -> Result<()> {
    let is_drawn = match asker {
        Asker::Recorder => true,
        Asker::Reader { after } => after <= drawn,
    };
    let goes_on = |met: i64| (met..=met.saturating_add(LEAP)).contains(&drawn);
    if is_drawn && MET.get().is_some_and(goes_on) {
        MET.set(Some(drawn));
        return Ok(());
    }
    let Some(owner) = OWNER.row(&[], |row| row.must::<pg_sys::Oid>(1)) else {
        return Ok(());
    };
    as_role(owner, || settle_as_owner(drawn, asker))
}

fn settle_as_owner(drawn: i64, asker: Asker) -> Result<()> {
    let Some(log) = Log::latest() else {
        return Ok(());
    };
    if log.needs_restart() {
        // SAFETY: a variable of this process, which only this thread writes.
        if unsafe { pg_sys::XactReadOnly } {
            return Ok(());
        }
        refuse_where_fed(&log)?;
        return restart();
    }
    if asker == Asker::Recorder {
        mark(&log);
    }
    // SAFETY: returns the id of the transaction, and assigns none.
    let transaction = unsafe { pg_sys::GetTopTransactionIdIfAny() };
    let is_mended = transaction != pg_sys::InvalidTransactionId && transaction == MENDED_IN.get();
    // A rollback to a savepoint may remove what was recorded just now, so that the next call must check again.
    let is_noted = log.problem.is_none() || asker != Asker::Recorder;
    if is_noted && !is_mended {
        MET.set(Some(drawn));
    }
    Ok(())
}

fn refuse_where_fed(log: &Log) -> Result<()> {
    let (Some(disable), Some(problem)) = (log.disable_subscriptions(), log.problem) else {
        return Ok(());
    };
    Err(Error::state(
        Word::LogReplicated,
        "the event log is written by a subscription",
        format!("Its ids must restart ({}), and the publisher would then generate the same ids again.", problem.says()),
        format!(
            "Record and read events on the publisher. After this server has replaced the publisher, run {disable};"
        ),
    ))
}

fn refuse_at_the_end(log: &Log) -> Result<()> {
    if log.highest_id <= LAST_ID - LEAP {
        return Ok(());
    }
    Err(Error::state(
        Word::TableConflict,
        "the event log has no ids left",
        format!(
            "Its sequence, one of its rows or the position of a reader is at {}; the last possible id is {LAST_ID}.",
            log.highest_id
        ),
        "Delete the events and readers that are beyond the last possible id, then run SELECT setval('multica_event_log_id_seq', 1); the next event restarts the log.",
    ))
}

/// What install does about the ids of the log.
pub enum Repair {
    /// Install restarts the log, by this statement.
    Restarts(String),
    /// Install does nothing, because a subscription writes into the log; this statement disables the subscription.
    IsFed(String),
}

/// Restarts the log if that is necessary; with `dry_run` only reports it.
pub fn repair(dry_run: bool) -> Result<Option<Repair>> {
    let is_there = OWNER.row(&[], |_| ()).is_some();
    let Some(log) = is_there.then(Log::latest).flatten() else {
        return Ok(None);
    };
    if !log.needs_restart() {
        // Before the first id is drawn, nothing is recorded: a recorded place and a sequence that has drawn no id
        // together mean that the sequence was set back.
        if log.problem == Some(Problem::Unmarked) && log.highest_id > 0 && !dry_run {
            mark(&log);
        }
        return Ok(None);
    }
    if let Some(disable) = log.disable_subscriptions() {
        return Ok(Some(Repair::IsFed(disable)));
    }
    if !dry_run {
        restart()?;
    }
    Ok(Some(Repair::Restarts(RESTART_SHORTLY.into())))
}

/// Restarts the log, as its owner. The log is checked again under the lock, because another session may have restarted
/// it in the meantime.
fn restart() -> Result<()> {
    ONE_AT_A_TIME.run(&[]);
    let Some(log) = Log::latest() else {
        return Ok(());
    };
    if !log.needs_restart() {
        return Ok(());
    }
    refuse_where_fed(&log)?;
    refuse_at_the_end(&log)?;
    RESTART.run(&[arg(log.last_id), arg(log.trimmed_to), arg(log.highest_id), arg(log.here)]);
    MET.set(None);
    // SAFETY: something was written just now, so that the transaction has an id.
    MENDED_IN.set(unsafe { pg_sys::GetTopTransactionIdIfAny() });
    Ok(())
}

/// Records where the log is, for the next check.
fn mark(log: &Log) {
    match log.problem {
        Some(Problem::New) => {
            FIRST_MARK.run(&[arg(log.here.clone())]);
        }
        // The session that holds the row records it next time.
        Some(Problem::Unmarked) if lock_state() => {
            MARK.run(&[arg(log.here.clone())]);
        }
        _ => (),
    }
}

/// Locks the row of the state, and makes the row if there is none yet. Returns false while another session holds the
/// row.
pub fn lock_state() -> bool {
    let lock = || LOCK_STATE.run(&[]) > 0;
    lock() || {
        make_state_row();
        lock()
    }
}

/// Makes the row of the state if there is none, as the owner of the tables, because a role that sweeps may only update
/// the row. If there is no event log, it has no owner to be found; then the row is made as the caller, which is the
/// worker that has an error to record.
fn make_state_row() {
    let Some(owner) = OWNER.row(&[], |row| row.must::<pg_sys::Oid>(1)) else {
        MAKE_ROW.run(&[]);
        return;
    };
    as_role(owner, || {
        FIRST_MARK.run(&[arg(Option::<String>::None)]);
    });
}

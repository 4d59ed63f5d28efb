//! One process per runtime. A daemon process makes an id at its start, its incarnation, and passes it to its calls. The
//! process that registered last is the only one whose calls succeed; a call without an incarnation is not checked.
//!
//! The row of a runtime in multica_runtime_incarnation decides between a registration and the calls of the process that
//! it replaces. A registration locks it after the runtime and before it looks for orphans. A claim and a recovery hold
//! it from their decision to the end of their transaction. Whoever holds it waits for no row that comes after it, so
//! neither waits for long.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::records;
use super::writer::Writer;
use crate::error::{Error, Result, Word};
use crate::postgres::known_row::Place;
use crate::postgres::statement::{Row, Statement, arg};

static REGISTERED: Statement = Statement::volatile(sql!("lifecycle/incarnation/registered.sql"));
static HOLD: Statement = Statement::volatile(sql!("lifecycle/incarnation/hold.sql"));
static REGISTERED_OF_MANY: Statement = Statement::volatile(sql!("lifecycle/incarnation/registered_of_many.sql"));
static HOLD_MANY: Statement = Statement::volatile(sql!("lifecycle/incarnation/hold_many.sql"));
static REPLACED: Statement = Statement::volatile(sql!("lifecycle/incarnation/replaced.sql"));
static REGISTER: Statement = Statement::volatile(sql!("lifecycle/incarnation/register.sql"));
static OF_RUNTIMES: Statement = Statement::volatile(sql!("lifecycle/incarnation/of_runtimes.sql"));
static INHERIT: Statement = Statement::volatile(sql!("lifecycle/incarnation/inherit.sql"));
static RECORD_CLAIM: Statement = Statement::volatile(sql!("lifecycle/incarnation/record_claim.sql")).by_id();
static IS_RECORDED: Statement = Statement::stable(sql!("lifecycle/incarnation/is_recorded.sql"));
static OF_ENDED_TASKS: Statement =
    Statement::volatile(sql!("lifecycle/incarnation/of_ended_tasks.sql")).in_index_order().by_id();
static OF_DELETED_RUNTIMES: Statement =
    Statement::volatile(sql!("lifecycle/incarnation/of_deleted_runtimes.sql")).by_id();
static FORGET_TASKS: Statement = Statement::volatile(sql!("lifecycle/incarnation/forget_tasks.sql"));
static FORGET_RUNTIMES: Statement = Statement::volatile(sql!("lifecycle/incarnation/forget_runtimes.sql"));

/// How many replaced incarnations of a runtime are kept. A process that was replaced more often than this since its
/// last call can register again.
const MOST_REPLACED: i32 = 20;

/// The table of registered incarnations.
const TABLE: &CStr = c"multica_runtime_incarnation";

/// How many places a session remembers. A pooled session serves the daemons of a whole fleet.
const MOST_PLACES: usize = 10_000;

thread_local! {
    /// Where the session has found the row of a runtime.
    static PLACES: RefCell<HashMap<Uuid, Place>> = RefCell::default();
}

/// Returns 55000 if another process has registered the runtime. It takes no lock, so a registration may be committed
/// at any moment after it.
pub fn check(runtime: Uuid, incarnation: Uuid) -> Result<()> {
    let known = PLACES.with_borrow(|all| all.get(&runtime).copied());
    let expected = [(c"runtime_id", runtime), (c"incarnation", incarnation)];
    if known.is_some_and(|place| place.has(TABLE, &expected)) {
        return Ok(());
    }
    let found = REGISTERED.row(&[arg(runtime)], |row| (row.must::<Uuid>(1), Place::of(row)));
    PLACES.with_borrow_mut(|all| {
        if all.len() >= MOST_PLACES {
            all.clear();
        }
        match found {
            Some((_, place)) => all.insert(runtime, place),
            None => all.remove(&runtime),
        }
    });
    must_be(found.map(|(registered, _)| registered), runtime, incarnation)
}

/// As [`check`], and prevents another process from registering until the end of the transaction. The caller must wait
/// for no row after this, because a registration that waits for it holds runtimes.
pub fn hold(runtime: Uuid, incarnation: Uuid) -> Result<()> {
    must_be(HOLD.row(&[arg(runtime)], |row: &Row| row.must(1)), runtime, incarnation)
}

/// As [`check`], for all of the runtimes.
pub fn check_all(runtimes: &[Uuid], incarnation: Uuid) -> Result<()> {
    if let [runtime] = runtimes {
        return check(*runtime, incarnation);
    }
    let args = [arg(runtimes.to_vec()), arg(incarnation)];
    let other = REGISTERED_OF_MANY.row(&args, |row| (row.required("runtime_id"), row.required("incarnation")));
    other.map_or(Ok(()), |(runtime, other)| Err(registered_by_another(runtime, other, incarnation)))
}

/// As [`hold`], for all of the runtimes.
pub fn hold_all(runtimes: &[Uuid], incarnation: Uuid) -> Result<()> {
    if let [runtime] = runtimes {
        return hold(*runtime, incarnation);
    }
    let held: Vec<(Uuid, Uuid)> =
        HOLD_MANY.rows(&[arg(runtimes.to_vec())], |row| (row.required("runtime_id"), row.required("incarnation")));
    let mut others = held.into_iter().filter(|(_, registered)| *registered != incarnation);
    others.next().map_or(Ok(()), |(runtime, other)| Err(registered_by_another(runtime, other, incarnation)))
}

fn must_be(registered: Option<Uuid>, runtime: Uuid, incarnation: Uuid) -> Result<()> {
    match registered {
        Some(other) if other != incarnation => Err(registered_by_another(runtime, other, incarnation)),
        _ => Ok(()),
    }
}

fn registered_by_another(runtime: Uuid, other: Uuid, incarnation: Uuid) -> Error {
    superseded(runtime, format!("Its incarnation is {other}, and that of the caller is {incarnation}."))
}

/// Returns 55000 if a later registration of one of the runtimes has replaced this incarnation.
pub fn check_registration(runtimes: &[Uuid], incarnation: Uuid) -> Result<()> {
    match REPLACED.row(&[arg(runtimes.to_vec()), arg(incarnation)], |row| row.must::<Uuid>(1)) {
        Some(runtime) => {
            Err(superseded(runtime, format!("A later registration has replaced the incarnation {incarnation}.")))
        }
        None => Ok(()),
    }
}

fn superseded(runtime: Uuid, detail: String) -> Error {
    Error::state(
        Word::Superseded,
        format!("another process has registered runtime {runtime}"),
        detail,
        "Stop this process without another call: the runtime belongs to the other process now.",
    )
}

/// Stores the incarnation of the process that registers the runtimes, whose rows the caller has locked. Returns the
/// runtimes for which it replaced another incarnation, with that incarnation.
pub fn register(runtimes: Vec<Uuid>, incarnation: Uuid, now: TimestampWithTimeZone) -> Vec<(Uuid, Uuid)> {
    let args = [arg(runtimes), arg(incarnation), arg(now), arg(MOST_REPLACED)];
    let written = REGISTER.rows(&args, |row| (row.required("runtime_id"), row.column("replaced")));
    written.into_iter().filter_map(|(runtime, replaced)| Some((runtime, replaced?))).collect()
}

/// Whether the incarnation of a process is recorded for one of the runtimes.
pub fn is_recorded_for(runtimes: &[Uuid]) -> bool {
    has_tables() && OF_RUNTIMES.run(&[arg(runtimes.to_vec())]) > 0
}

/// Gives the runtimes in `to` what is recorded about the processes of the runtimes at the same place in `from`, which are
/// merged into them: these processes are replaced there too. The caller has locked the runtimes and the records.
pub fn inherit(from: Vec<Uuid>, to: Vec<Uuid>) {
    if is_recorded_for(&from) {
        INHERIT.run(&[arg(from), arg(to), arg(MOST_REPLACED)]);
    }
}

/// Whether install has made the tables, which an update of the extension does not create.
fn has_tables() -> bool {
    IS_RECORDED.row(&[], |row| row.must(1)) == Some(true)
}

/// Records which process has claimed the tasks, which the caller has just set dispatched.
pub fn record_claim(tasks: Vec<Uuid>, incarnation: Uuid) {
    RECORD_CLAIM.run(&[arg(tasks), arg(incarnation)]);
}

/// Deletes what is stored about tasks that have ended and about runtimes that are gone, at most `limit` rows of each;
/// returns whether there may be more. Of runtimes that are gone it finds all in a small table, and some in a large one.
/// Rows that other sessions hold, or that cannot be deleted, are skipped.
pub fn forget(limit: i64, writer: &mut Writer) -> bool {
    if !has_tables() {
        return false;
    }
    let tasks = records::forget(&OF_ENDED_TASKS, &FORGET_TASKS, limit, writer);
    let runtimes = records::forget(&OF_DELETED_RUNTIMES, &FORGET_RUNTIMES, limit, writer);
    tasks || runtimes
}

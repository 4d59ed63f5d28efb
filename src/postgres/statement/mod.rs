//! The only place that talks to SPI, and the only unsafe code around it: kept plans and the rows they give.
//!
//! A [`Statement`] is one file of `sql/`, planned once per session. Plans are run with `SPI_execute_plan` directly,
//! because pgrx's own `update()` assigns a transaction id before anything is written: an idle poll would cost an id and
//! WAL, and a standby would answer XX000 instead of its own read-only error.

mod explain;
mod hidden;
mod plan;
pub mod planner;
mod row;
mod text;

use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::IntoDatum;
use pgrx::prelude::*;

use explain::explain;
use planner::{IndexFilter, Rules, Run, Settings};
pub use row::Row;

/// A value bound to a parameter of a statement.
pub struct Arg {
    oid: pg_sys::Oid,
    datum: Option<pg_sys::Datum>,
}

/// Binds a value; `Option::None` binds NULL of the value's type.
pub fn arg<T: IntoDatum>(value: T) -> Arg {
    Arg { oid: T::type_oid(), datum: value.into_datum() }
}

impl Arg {
    /// The bound datum; None for NULL.
    pub fn datum(&self) -> Option<pg_sys::Datum> {
        self.datum
    }

    /// The type the value is bound as.
    pub fn oid(&self) -> pg_sys::Oid {
        self.oid
    }
}

/// One statement of `sql/`, prepared at its first use in a session and kept.
pub struct Statement {
    sql: &'static str,
    is_stable: bool,
    rules: Rules,
}

/// Runs the statements of a text one after the other, without keeping a plan: for DDL, which a session runs once.
/// `hint` is added to an error of a name that is not found: code of others, which the DDL sets off, may look it up.
pub fn script(sql: &str, hint: Option<&str>) {
    let sql = std::ffi::CString::new(sql).expect("statements hold no NUL byte");
    let work = AssertUnwindSafe(|| unsafe {
        // SAFETY: as in [`Statement::execute`].
        pg_sys::SPI_connect();
        let code = pg_sys::SPI_execute(sql.as_ptr(), false, 0);
        if code < 0 {
            error!("SPI could not run a script: code {code}");
        }
        pg_sys::SPI_finish();
    });
    PgTryBuilder::new(work).catch_others(|caught| explain::name_not_found(caught, hint)).execute();
}

impl Statement {
    /// A statement of a function that only looks: it sees what the caller's query sees and works on a standby.
    pub const fn stable(file: &'static str) -> Self {
        Self {
            sql: text::statement(file),
            is_stable: true,
            rules: Rules { settings: &Settings::NO_WHOLE_TABLE, indexes: IndexFilter::All, of_visible_rows: false },
        }
    }

    /// A statement that locks, writes, or must see what was committed while the call waited for a lock.
    pub const fn volatile(file: &'static str) -> Self {
        Self {
            sql: text::statement(file),
            is_stable: false,
            rules: Rules { settings: &Settings::NO_WHOLE_TABLE, indexes: IndexFilter::All, of_visible_rows: false },
        }
    }

    /// The same statement where a table is to be read as a whole because the column asked for is not indexed, as
    /// last_seen_at is not.
    pub const fn of_whole_tables(self) -> Self {
        self.with_settings(&Settings::WHOLE_TABLE)
    }

    /// The same statement where each ORDER BY names the index that is to serve it: no statistics, however old, make it
    /// read and sort what another index returns.
    pub const fn in_index_order(self) -> Self {
        self.with_settings(&Settings::NO_SORT)
    }

    /// The same statement where a LIMIT ends it: what lies behind is not collected first.
    pub const fn one_by_one(self) -> Self {
        self.with_settings(&Settings::ONE_BY_ONE)
    }

    /// The same statement where ids say which rows it is about: statistics older than the rows may take the index of
    /// all that is queued for smaller than one lookup, so that indexes of a part of a table, or of a status, are not
    /// offered.
    pub const fn by_id(self) -> Self {
        self.with_indexes(IndexFilter::Whole)
    }

    /// The same statement where it writes rows of one table whose ids are given: each is locked when its turn comes,
    /// and the turn is that of its id.
    pub const fn in_id_order(self) -> Self {
        self.with_settings(&Settings::INDEX_SCAN).with_indexes(IndexFilter::PrimaryKeyFirst)
    }

    /// The same statement where it is about the rows that are asked for, each for itself: one that row-level security
    /// hides from the caller is unknown to them. Any other statement raises 55000 when it meets a hidden row.
    pub const fn of_visible_rows(self) -> Self {
        let rules = Rules { of_visible_rows: true, ..self.rules };
        Self { rules, ..self }
    }

    const fn with_settings(self, settings: &'static Settings) -> Self {
        let rules = Rules { settings, ..self.rules };
        Self { rules, ..self }
    }

    const fn with_indexes(self, indexes: IndexFilter) -> Self {
        let rules = Rules { indexes, ..self.rules };
        Self { rules, ..self }
    }

    /// A [`stable`](Self::stable) statement, run as a [`volatile`](Self::volatile) one.
    pub const fn latest(&self) -> Latest<'_> {
        Latest(self)
    }

    /// Runs it and returns how many rows it processed.
    pub fn run(&self, args: &[Arg]) -> u64 {
        self.execute(args, self.is_stable, |processed, _| processed)
    }

    /// Runs it and decodes its first row, if there is one.
    pub fn row<R>(&self, args: &[Arg], decode: impl FnMut(&Row) -> R) -> Option<R> {
        self.rows(args, decode).into_iter().next()
    }

    /// Runs it and decodes every row.
    pub fn rows<R>(&self, args: &[Arg], decode: impl FnMut(&Row) -> R) -> Vec<R> {
        self.decode(args, self.is_stable, decode)
    }

    fn decode<R>(&self, args: &[Arg], is_stable: bool, mut decode: impl FnMut(&Row) -> R) -> Vec<R> {
        // SAFETY: the variable is always set.
        let caller_context = unsafe { pg_sys::CurrentMemoryContext };
        self.execute(args, is_stable, |processed, table| {
            (0..processed as usize)
                .map(|at| {
                    // SAFETY: SPI returned a table of this many tuples, which lives until `execute` ends the connection.
                    let (tuple, desc) = unsafe { (*(*table).vals.add(at), (*table).tupdesc) };
                    decode(&Row { tuple, desc, caller_context, table: PhantomData })
                })
                .collect()
        })
    }

    fn execute<R>(
        &self,
        args: &[Arg],
        is_stable: bool,
        mut finish: impl FnMut(u64, *mut pg_sys::SPITupleTable) -> R,
    ) -> R {
        // Only a parse shows that a table is missing; later the same error comes from a trigger of a user.
        let parses = AtomicBool::new(true);
        let work = AssertUnwindSafe(|| unsafe {
            // SAFETY: everything between connect and finish either returns or raises a Postgres error, whose
            // transaction or subtransaction abort takes the SPI connection down with it.
            pg_sys::SPI_connect();
            let _run = Run::of(self.sql, self.rules);
            let plan = plan::of(self, args);
            parses.store(false, Ordering::Relaxed);
            let mut values: Vec<pg_sys::Datum> =
                args.iter().map(|arg| arg.datum.unwrap_or(pg_sys::Datum::null())).collect();
            let nulls: Vec<std::ffi::c_char> =
                args.iter().map(|arg| if arg.datum.is_some() { b' ' } else { b'n' } as std::ffi::c_char).collect();
            let code = plan::with_kept_plans(|| execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), is_stable));
            plan::assert_pinned(plan);
            if code < 0 {
                error!("SPI could not run a statement: code {code}");
            }
            let result = finish(pg_sys::SPI_processed, pg_sys::SPI_tuptable);
            pg_sys::SPI_finish();
            result
        });
        PgTryBuilder::new(work)
            .catch_others(|caught| explain(caught, self.sql, parses.load(Ordering::Relaxed)))
            .execute()
    }
}

/// A statement of which the latest committed state is asked for, because the function that runs it is volatile.
pub struct Latest<'a>(&'a Statement);

impl Latest<'_> {
    /// As [`Statement::row`].
    pub fn row<R>(&self, args: &[Arg], decode: impl FnMut(&Row) -> R) -> Option<R> {
        self.rows(args, decode).into_iter().next()
    }

    /// As [`Statement::rows`].
    pub fn rows<R>(&self, args: &[Arg], decode: impl FnMut(&Row) -> R) -> Vec<R> {
        self.0.decode(args, false, decode)
    }
}

/// Above READ COMMITTED a lock that changed nothing leaves no trace for the transaction's own snapshot, so what is
/// decided after a lock is decided on the latest one; the transaction's snapshot is the crosscheck, so that a row changed
/// since it was taken is 40001 and never overwritten. Postgres' own foreign-key checks do the same.
///
/// # Safety
/// SPI must be connected, `plan` be kept, and `values` and `nulls` have one element per parameter of it.
unsafe fn execute_plan(
    plan: pg_sys::SPIPlanPtr,
    values: *mut pg_sys::Datum,
    nulls: *const std::ffi::c_char,
    is_stable: bool,
) -> i32 {
    // SAFETY: as the caller promises.
    unsafe {
        if !is_stable && pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 {
            let latest = pg_sys::GetLatestSnapshot();
            let crosscheck = pg_sys::GetTransactionSnapshot();
            return pg_sys::SPI_execute_snapshot(plan, values, nulls, latest, crosscheck, false, true, 0);
        }
        pg_sys::SPI_execute_plan(plan, values, nulls, is_stable, 0)
    }
}

//! The only module that calls SPI, and the only unsafe code around SPI: kept plans and the rows that they return.
//!
//! A [`Statement`] is one file of `sql/`, planned once per session. Plans are run with `SPI_execute_plan` directly,
//! because pgrx's own `update()` assigns a transaction id before anything is written. An idle poll would then use up an
//! id and write WAL, and a standby would raise XX000 instead of its read-only error.

mod explain;
mod hidden;
mod marks;
mod plan;
pub mod planner;
mod relations;
mod row;
mod temporary;
mod text;
mod variant;

use std::cell::Cell;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

use pgrx::IntoDatum;
use pgrx::prelude::*;

use explain::explain;
use planner::{IndexFilter, Rules, Run, Settings};
pub use row::Row;
pub use text::render;

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

/// One statement of `sql/`, prepared at its first use in a session and kept. Its file may have parts that belong to it
/// only where the tables have a [feature](crate::postgres::features).
pub struct Statement {
    file: &'static str,
    is_stable: bool,
    rules: Rules,
}

/// Runs the statements of a text one after the other, without keeping a plan. It is for DDL, which a session runs once.
/// If a name is not found, `hint` is added to the error, because an event trigger of a user, which the DDL fires, may
/// have looked up that name. Returns how many rows the last statement returned or wrote.
pub fn script(sql: &str, hint: Option<&str>) -> u64 {
    let sql = std::ffi::CString::new(sql).expect("statements hold no NUL byte");
    let work = AssertUnwindSafe(|| unsafe {
        // SAFETY: as in [`Statement::execute`].
        pg_sys::SPI_connect();
        let code = pg_sys::SPI_execute(sql.as_ptr(), false, 0);
        if code < 0 {
            error!("SPI could not run a script: code {code}");
        }
        let processed = pg_sys::SPI_processed;
        pg_sys::SPI_finish();
        processed
    });
    PgTryBuilder::new(work).catch_others(|caught| explain::name_not_found(caught, hint)).execute()
}

impl Statement {
    /// A statement of a function that only reads. It uses the snapshot of the caller's query and works on a standby.
    pub const fn stable(file: &'static str) -> Self {
        Self {
            file: text::checked(file),
            is_stable: true,
            rules: Rules { settings: &Settings::NO_WHOLE_TABLE, indexes: IndexFilter::All, of_visible_rows: false },
        }
    }

    /// A statement that locks, writes, or must see what was committed while the call waited for a lock.
    pub const fn volatile(file: &'static str) -> Self {
        Self {
            file: text::checked(file),
            is_stable: false,
            rules: Rules { settings: &Settings::NO_WHOLE_TABLE, indexes: IndexFilter::All, of_visible_rows: false },
        }
    }

    /// The same statement, allowed to read a whole table, because the column that it searches, such as last_seen_at,
    /// has no index.
    pub const fn of_whole_tables(self) -> Self {
        self.with_settings(&Settings::WHOLE_TABLE)
    }

    /// The same statement, in which each ORDER BY must be read from the index of that order. Outdated statistics cannot
    /// make the planner read another index and sort the rows.
    pub const fn in_index_order(self) -> Self {
        self.with_settings(&Settings::NO_SORT)
    }

    /// The same statement, with rows that are read one by one: it stops at its LIMIT, and rows after the LIMIT are not
    /// collected first.
    pub const fn one_by_one(self) -> Self {
        self.with_settings(&Settings::ONE_BY_ONE)
    }

    /// The same statement, for rows whose ids are given: partial indexes and indexes with the column status are hidden
    /// from the planner, except indexes of all rows that have a value. With outdated statistics the planner may estimate
    /// that a scan of the index of all queued tasks costs less than one lookup by id.
    pub const fn by_id(self) -> Self {
        self.with_indexes(IndexFilter::Whole)
    }

    /// The same statement, for writes to rows of one table whose ids are given: the rows are read, and therefore
    /// locked, in the order of their ids.
    pub const fn in_id_order(self) -> Self {
        self.with_settings(&Settings::INDEX_SCAN).with_indexes(IndexFilter::PrimaryKeyFirst)
    }

    /// The same statement, for rows that have a value in this column: it reads an index that begins with the column, if
    /// there is one. With outdated statistics the planner may estimate that nearly all rows have the value.
    pub const fn led_by(self, column: &'static CStr) -> Self {
        self.with_indexes(IndexFilter::LedBy(column))
    }

    /// The same statement, where each row is requested independently of the others: a row that row-level security hides
    /// from the caller is left out. Any other statement raises 55000 when it reads a hidden row.
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
                    // SAFETY: SPI returned a table of this many tuples, which exists until `execute` ends the
                    // connection.
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
        // An error about a missing table is about this statement only while it is parsed; later the same error comes
        // from a user's trigger.
        let parses = Cell::new(true);
        let text = Cell::new("");
        let work = AssertUnwindSafe(|| unsafe {
            // SAFETY: everything between connect and finish either returns or raises a Postgres error, and then the
            // abort of the transaction or subtransaction closes the SPI connection.
            pg_sys::SPI_connect();
            let variant = variant::of(self);
            text.set(variant.sql);
            let _run = Run::of(variant.sql, self.rules);
            let kept = plan::of(self, variant, args);
            let plan = kept.plan();
            parses.set(false);
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
        let (text, parses) = (AssertUnwindSafe(&text), AssertUnwindSafe(&parses));
        PgTryBuilder::new(work).catch_others(move |caught| explain(caught, text.get(), parses.get())).execute()
    }

    /// What the session keeps of a statement is kept under this number.
    fn key(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }
}

/// A statement that reads the latest committed state, because the function that runs it is volatile.
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

/// Runs a plan. Above READ COMMITTED, waiting for a transaction that only locked a row raises no error, and the
/// snapshot of this transaction does not show what the other transaction wrote elsewhere. Therefore a decision after a
/// lock reads the latest snapshot. The transaction's snapshot is the crosscheck: a row that was changed since it was
/// taken raises 40001 and is never overwritten. Postgres' own foreign-key checks do the same.
///
/// # Safety
/// SPI must be connected, `plan` must be kept, and `values` and `nulls` must have one element per parameter of the
/// plan.
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

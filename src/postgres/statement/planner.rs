//! How the statements of this library are planned: with planner settings of their own, never compiled, never parallel.
//!
//! A kept statement is planned more than once: after the first temporary table of a session, under another role with
//! row security, after any change of a table. Postgres decides that inside the execution of the statement, so only a
//! planner hook sees every planning. The hook recognizes the statement that is being run by its text. All other
//! statements, those of users' triggers included, are planned with the settings of their session.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};
use std::sync::OnceLock;

use pgrx::PgList;
use pgrx::is_a;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::prelude::*;

use super::{hidden, temporary};
use crate::postgres::entry::entry_as_caller;

/// Declares the planner's settings: the name of Postgres' variable, its type, and the value that Postgres ships.
macro_rules! settings {
    ($($(#[$version:meta])* $name:ident: $type:ty = $shipped:expr;)*) => {
        /// A value for each setting that can change the shape of a plan.
        #[derive(Clone, Copy)]
        pub struct Settings {
            $($(#[$version])* $name: $type,)*
        }

        impl Settings {
            /// The values that Postgres ships.
            const SHIPPED: Self = Self { $($(#[$version])* $name: $shipped,)* };

            /// Puts these values in force and returns the previous ones.
            fn exchange(self) -> Self {
                // SAFETY: a backend has one thread, and the planner reads the variables only while it plans.
                unsafe {
                    Self {
                        $($(#[$version])* $name: std::mem::replace(&mut *(&raw mut pg_sys::$name), self.$name),)*
                    }
                }
            }
        }
    };
}

settings! {
    enable_seqscan: bool = true;
    enable_indexscan: bool = true;
    enable_indexonlyscan: bool = true;
    enable_bitmapscan: bool = true;
    enable_tidscan: bool = true;
    enable_sort: bool = true;
    enable_incremental_sort: bool = true;
    enable_hashagg: bool = true;
    enable_nestloop: bool = true;
    enable_material: bool = true;
    enable_memoize: bool = true;
    enable_mergejoin: bool = true;
    enable_hashjoin: bool = true;
    enable_partitionwise_join: bool = false;
    enable_partitionwise_aggregate: bool = false;
    enable_partition_pruning: bool = true;
    enable_async_append: bool = true;
    #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
    enable_presorted_aggregate: bool = true;
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    enable_group_by_reordering: bool = true;
    #[cfg(feature = "pg18")]
    enable_distinct_reordering: bool = true;
    #[cfg(feature = "pg18")]
    enable_self_join_elimination: bool = true;
    enable_geqo: bool = false;
    seq_page_cost: f64 = 1.0;
    random_page_cost: f64 = 4.0;
    cpu_tuple_cost: f64 = 0.01;
    cpu_index_tuple_cost: f64 = 0.005;
    cpu_operator_cost: f64 = 0.0025;
    effective_cache_size: c_int = 524_288;
    from_collapse_limit: c_int = 8;
    join_collapse_limit: c_int = 8;
    constraint_exclusion: c_int = pg_sys::ConstraintExclusionType::CONSTRAINT_EXCLUSION_PARTITION as c_int;
    cursor_tuple_fraction: f64 = 0.1;
    #[cfg(not(feature = "pg14"))]
    recursive_worktable_factor: f64 = 10.0;
    work_mem: c_int = 4096;
    hash_mem_multiplier: f64 = 2.0;
}

impl Settings {
    /// A kept plan may have been made while a table was empty, when reading the whole table looks cheapest. This
    /// excludes the ways to do so: a sequential scan, a merge join over a whole index, a hash join, and materialized
    /// rows that are read once per row of another table.
    pub const NO_WHOLE_TABLE: Self = Self {
        enable_seqscan: false,
        enable_hashjoin: false,
        enable_mergejoin: false,
        enable_material: false,
        ..Self::SHIPPED
    };

    /// As [`Self::NO_WHOLE_TABLE`], and only an index puts rows in order.
    pub const NO_SORT: Self = Self { enable_sort: false, enable_incremental_sort: false, ..Self::NO_WHOLE_TABLE };

    /// As [`Self::NO_WHOLE_TABLE`], and rows come from an index one by one.
    pub const ONE_BY_ONE: Self = Self { enable_bitmapscan: false, ..Self::NO_WHOLE_TABLE };

    /// Rows come from an index scan, in the order of the index.
    pub const INDEX_SCAN: Self = Self { enable_seqscan: false, enable_bitmapscan: false, ..Self::SHIPPED };

    /// The column that is searched has no index.
    pub const WHOLE_TABLE: Self = Self::SHIPPED;
}

/// The indexes that the planner may choose from.
#[derive(Clone, Copy, PartialEq)]
pub enum IndexFilter {
    /// All that exist.
    All,
    /// Indexes whose predicate compares no column, except those with the column `status`.
    Whole,
    /// Indexes of all rows that begin with the column `id`.
    PrimaryKeyFirst,
    /// Indexes of all rows that begin with this column; all others only if there is no such index.
    LedBy(&'static CStr),
}

/// How a statement is planned.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Values of the planner's settings.
    pub settings: &'static Settings,
    /// Indexes to choose from.
    pub indexes: IndexFilter,
    /// Whether rows that row-level security hides are left out without an error.
    pub of_visible_rows: bool,
}

/// A statement while it is run: the text by which the planner hook recognizes it, and its rules.
#[derive(Clone, Copy)]
struct Running {
    text: &'static str,
    rules: Rules,
}

thread_local! {
    static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
    static OFFERED: Cell<IndexFilter> = const { Cell::new(IndexFilter::All) };
    /// The settings of the session, while those of a statement are in force.
    static OF_SESSION: Cell<Option<Settings>> = const { Cell::new(None) };
}

/// While this value exists, the statement with this text is planned by its rules. An error drops the value too.
pub struct Run {
    outer: Option<Running>,
}

impl Run {
    /// Begins the run. A statement that a trigger runs meanwhile has its own `Run`.
    pub fn of(text: &'static str, rules: Rules) -> Self {
        let outer = RUNNING.replace(Some(Running { text, rules }));
        Self { outer }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        RUNNING.set(self.outer);
    }
}

/// Settings and indexes that are in force while this value exists. An error drops the value too.
struct InForce {
    settings: Settings,
    of_session: Option<Settings>,
    indexes: IndexFilter,
}

impl InForce {
    fn of_statement(rules: Rules) -> Self {
        let indexes = OFFERED.replace(rules.indexes);
        let settings = rules.settings.exchange();
        let of_session = OF_SESSION.get();
        OF_SESSION.set(of_session.or(Some(settings)));
        Self { settings, of_session, indexes }
    }

    /// For a statement of a user's function that the planner evaluates while it plans a statement of this library.
    fn of_session() -> Option<Self> {
        let of_session = OF_SESSION.take()?;
        Some(Self {
            settings: of_session.exchange(),
            of_session: Some(of_session),
            indexes: OFFERED.replace(IndexFilter::All),
        })
    }
}

impl Drop for InForce {
    fn drop(&mut self) {
        self.settings.exchange();
        OF_SESSION.set(self.of_session);
        OFFERED.set(self.indexes);
    }
}

static NEXT_PLANNER: OnceLock<pg_sys::planner_hook_type> = OnceLock::new();
static NEXT_RELATION_INFO: OnceLock<pg_sys::get_relation_info_hook_type> = OnceLock::new();

/// Installs the hooks. Must be called once, when the library is loaded.
pub fn register() {
    // SAFETY: nothing of this library is planned before it is loaded; the hooks that were installed before are kept.
    unsafe {
        NEXT_PLANNER.get_or_init(|| pg_sys::planner_hook);
        pg_sys::planner_hook = Some(plan);
        NEXT_RELATION_INFO.get_or_init(|| pg_sys::get_relation_info_hook);
        pg_sys::get_relation_info_hook = Some(offer);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn plan(
    query: *mut pg_sys::Query,
    text: *const c_char,
    options: c_int,
    params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    entry_as_caller(|| {
        let running = RUNNING.get().filter(|running| {
            // SAFETY: Postgres passes the text of the statement, or NULL.
            !text.is_null() && unsafe { CStr::from_ptr(text) }.to_bytes() == running.text.as_bytes()
        });
        let Some(running) = running else {
            let _in_force = InForce::of_session();
            // SAFETY: the arguments are those that Postgres passed to this hook.
            return Ok(unsafe { next_planner(query, text, options, params) });
        };
        let _in_force = InForce::of_statement(running.rules);
        let options = options & !(pg_sys::CURSOR_OPT_PARALLEL_OK as c_int);
        // SAFETY: the planner returns a statement of its own, or raises an error.
        unsafe {
            temporary::refuse(query);
            if !running.rules.of_visible_rows {
                hidden::refuse(query);
            }
            let planned = next_planner(query, text, options, params);
            // Up to Postgres 17, a scan type that is switched off makes a plan look so expensive that Postgres compiles
            // it, and compiling takes longer than running it.
            (*planned).jitFlags = pg_sys::PGJIT_NONE as c_int;
            Ok(planned)
        }
    })
}

unsafe fn next_planner(
    query: *mut pg_sys::Query,
    text: *const c_char,
    options: c_int,
    params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: as the caller promises.
    unsafe {
        match NEXT_PLANNER.get() {
            // An error of a hook in C must unwind this library's frames instead of jumping over them.
            Some(Some(hook)) => pg_guard_ffi_boundary(|| hook(query, text, options, params)),
            _ => pg_sys::standard_planner(query, text, options, params),
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn offer(
    root: *mut pg_sys::PlannerInfo,
    table: pg_sys::Oid,
    is_parent: bool,
    rel: *mut pg_sys::RelOptInfo,
) {
    entry_as_caller(|| {
        // SAFETY: Postgres passes a relation whose list of indexes it has just made, and which it owns.
        unsafe {
            if let Some(Some(hook)) = NEXT_RELATION_INFO.get() {
                pg_guard_ffi_boundary(|| hook(root, table, is_parent, rel));
            }
            if OF_SESSION.get().is_some() && u32::from(table) >= pg_sys::FirstNormalObjectId {
                assume_large(&mut *rel);
            }
            let offered = OFFERED.get();
            if offered != IndexFilter::All {
                let column = |name: &CStr| pg_sys::get_attnum(table, name.as_ptr());
                let (id, status) = (column(c"id"), column(c"status"));
                let leading = if let IndexFilter::LedBy(name) = offered { column(name) } else { 0 };
                let all = PgList::<pg_sys::IndexOptInfo>::from_pg((*rel).indexlist);
                let mut kept = PgList::new();
                all.iter_ptr()
                    .filter(|index| {
                        let index = &**index;
                        !is_partial(index)
                            && match offered {
                                IndexFilter::PrimaryKeyFirst => led_by(index, id),
                                IndexFilter::LedBy(_) => led_by(index, leading),
                                _ => !has_key(index, status),
                            }
                    })
                    .for_each(|index| kept.push(index));
                if !(kept.is_empty() && matches!(offered, IndexFilter::LedBy(_))) {
                    (*rel).indexlist = kept.into_pg();
                }
            }
        }
        Ok(())
    })
}

/// Makes the planner assume at least this size. A kept plan may have been made while a table had only a few rows, and
/// with statistics from that time, when a scan of a whole index costs no more than a lookup.
unsafe fn assume_large(rel: &mut pg_sys::RelOptInfo) {
    const ROWS: f64 = 1e6;
    const PAGES: pg_sys::BlockNumber = 20_000;
    rel.tuples = rel.tuples.max(ROWS);
    rel.pages = rel.pages.max(PAGES);
    // SAFETY: the planner has just made the list.
    let indexes = unsafe { PgList::<pg_sys::IndexOptInfo>::from_pg(rel.indexlist) };
    for index in indexes.iter_ptr() {
        // SAFETY: as above.
        let index = unsafe { &mut *index };
        // A partial index contains about the active rows only.
        let share = if is_partial(index) { 10 } else { 1 };
        index.tuples = index.tuples.max(ROWS / f64::from(share));
        index.pages = index.pages.max(PAGES / 4 / share);
        index.tree_height = index.tree_height.max(2);
    }
}

/// Whether an index leaves out rows with a value. An index whose predicate only tests columns for NULL does not grow less
/// than its table, and serves every search by a value.
fn is_partial(index: &pg_sys::IndexOptInfo) -> bool {
    // SAFETY: the planner has just read the predicate; its elements are expressions.
    unsafe {
        let conditions = PgList::<pg_sys::Node>::from_pg(index.indpred);
        let mut all = conditions.iter_ptr();
        !all.all(|condition| {
            is_a(condition, pg_sys::NodeTag::T_NullTest)
                && (*condition.cast::<pg_sys::NullTest>()).nulltesttype == pg_sys::NullTestType::IS_NOT_NULL
        })
    }
}

fn has_key(index: &pg_sys::IndexOptInfo, column: pg_sys::AttrNumber) -> bool {
    // Zero means that the table lacks the column, or that a column of the index is an expression.
    column != 0 && keys(index).contains(&i32::from(column))
}

fn led_by(index: &pg_sys::IndexOptInfo, column: pg_sys::AttrNumber) -> bool {
    column != 0 && keys(index).first() == Some(&i32::from(column))
}

fn keys(index: &pg_sys::IndexOptInfo) -> &[i32] {
    // SAFETY: the planner has just filled the array for this number of columns.
    unsafe { std::slice::from_raw_parts(index.indexkeys, index.ncolumns as usize) }
}

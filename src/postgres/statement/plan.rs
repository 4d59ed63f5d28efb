//! Kept plans: one generic plan per statement and session. Planning a statement takes several times as long as running
//! it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CString;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use pgrx::PgList;
use pgrx::prelude::*;

use super::variant::Variant;
use super::{Arg, Statement};

/// A plan, which is freed with the last reference to it. The session holds one reference, and each running statement
/// holds another. Otherwise a trigger could alter a table, run the same statement with a new plan, and so free the plan
/// that is still running.
pub struct Kept {
    plan: pg_sys::SPIPlanPtr,
    variant: &'static Variant,
    oids: Vec<pg_sys::Oid>,
    is_planned: Cell<bool>,
}

impl Kept {
    /// The plan itself.
    pub fn plan(&self) -> pg_sys::SPIPlanPtr {
        self.plan
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: a plan that was kept belongs to this value alone, and is not running.
        unsafe { pg_sys::SPI_freeplan(self.plan) };
    }
}

thread_local! {
    // Not dropped at the end of the process, when Postgres releases the memory itself.
    static KEPT: RefCell<ManuallyDrop<HashMap<usize, Rc<Kept>>>> = RefCell::default();
}

/// Returns the plan of a statement, ready to run. A new or invalidated statement is parsed and planned here, before it
/// runs, so that an error about a missing object can be distinguished from an error of a trigger.
///
/// # Safety
/// SPI must be connected.
pub unsafe fn of(statement: &Statement, variant: &'static Variant, args: &[Arg]) -> Rc<Kept> {
    // SAFETY: as the caller promises; the plan is not freed while there is a reference to it.
    unsafe {
        let kept = kept(statement, variant, args);
        if kept.is_planned.get() && pg_sys::SPI_plan_is_valid(kept.plan) {
            return kept;
        }
        let planned = pg_sys::SPI_plan_get_cached_plan(kept.plan);
        if !planned.is_null() {
            pg_sys::ReleaseCachedPlan(planned, pg_sys::CurrentResourceOwner);
        }
        kept.is_planned.set(true);
        kept
    }
}

/// Runs `work` so that kept plans are used in it. A session with plan_cache_mode = force_custom_plan would otherwise
/// plan each statement at every execution. The setting returns to its value when `work` returns; after an error, the
/// abort of the transaction or subtransaction restores it.
pub unsafe fn with_kept_plans<R>(work: impl FnOnce() -> R) -> R {
    const FORCE_CUSTOM: u32 = pg_sys::PlanCacheMode::PLAN_CACHE_MODE_FORCE_CUSTOM_PLAN;
    // SAFETY: the names and values end with a NUL byte, and the nest level is closed by its number.
    unsafe {
        if pg_sys::plan_cache_mode != FORCE_CUSTOM as i32 {
            return work();
        }
        let level = pg_sys::NewGUCNestLevel();
        pg_sys::set_config_option(
            c"plan_cache_mode".as_ptr(),
            c"auto".as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
        let result = work();
        pg_sys::AtEOXact_GUC(true, level);
        result
    }
}

/// Fails if a plan that was run is not the kept one, would be compiled, or may run in parallel. It checks only in
/// builds with debug assertions, so that every test on every version checks it, even where Postgres is built without
/// JIT.
///
/// # Safety
/// `plan` must be a plan of SPI that was run.
pub unsafe fn assert_pinned(plan: pg_sys::SPIPlanPtr) {
    if !cfg!(debug_assertions) {
        return;
    }
    // SAFETY: as the caller promises.
    unsafe {
        let sources = PgList::<pg_sys::CachedPlanSource>::from_pg(pg_sys::SPI_plan_get_plan_sources(plan));
        for source in sources.iter_ptr() {
            let text = std::ffi::CStr::from_ptr((*source).query_string);
            assert!((*source).num_custom_plans == 0 && !(*source).gplan.is_null(), "a plan was not kept: {text:?}");
            let statements = PgList::<pg_sys::PlannedStmt>::from_pg((*(*source).gplan).stmt_list);
            for statement in statements.iter_ptr() {
                assert!(
                    (*statement).jitFlags == 0 && !(*statement).parallelModeNeeded,
                    "a plan is compiled or parallel: {text:?}"
                );
            }
            // The lists belong to the plan and must not be freed.
            std::mem::forget(statements);
        }
        std::mem::forget(sources);
    }
}

/// Returns the kept plan of this variant. Prepares it at the first use of the statement, and after the features on
/// which the text depends have changed. The session then drops its reference to the plan of the former text.
unsafe fn kept(statement: &Statement, variant: &'static Variant, args: &[Arg]) -> Rc<Kept> {
    let known = KEPT.with_borrow(|all| all.get(&statement.key()).cloned());
    if let Some(known) = known.filter(|known| std::ptr::eq(known.variant, variant)) {
        assert!(
            known.oids.iter().eq(args.iter().map(|arg| &arg.oid)),
            "a statement is called with arguments of other types than it was prepared with"
        );
        return known;
    }
    let mut oids: Vec<pg_sys::Oid> = args.iter().map(|arg| arg.oid).collect();
    let sql = CString::new(variant.sql).expect("statements hold no NUL byte");
    // SAFETY: SPI is connected, as the caller promises; one type is passed per parameter.
    let plan = unsafe {
        let options = pg_sys::CURSOR_OPT_GENERIC_PLAN as i32;
        let plan = pg_sys::SPI_prepare_cursor(sql.as_ptr(), oids.len() as i32, oids.as_mut_ptr(), options);
        if plan.is_null() || pg_sys::SPI_keepplan(plan) != 0 {
            let code = pg_sys::SPI_result;
            error!("SPI could not prepare a statement: code {code}");
        }
        plan
    };
    let kept = Rc::new(Kept { plan, variant, oids, is_planned: Cell::new(false) });
    let former = KEPT.with_borrow_mut(|all| all.insert(statement.key(), Rc::clone(&kept)));
    drop(former);
    kept
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::super::{Statement, arg, variant};

    const FILE: &str = "SELECT $1
    -- feature task_beat
    || (SELECT max(last_heartbeat_at) FROM agent_task_queue)
    -- end task_beat
";

    static STATEMENT: Statement = Statement::volatile(FILE);

    /// Returns the number of plans that the session keeps.
    fn plans() -> i64 {
        let count = "SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'SPI Plan'";
        Spi::get_one(count).unwrap().unwrap()
    }

    /// While a statement runs, a trigger changes the features and runs the same statement. The outer run needs its own
    /// plan until it ends.
    #[pg_test]
    fn running_plan_is_not_freed() {
        Spi::run("SELECT FROM multica_install()").unwrap();
        let args = [arg("x")];
        // SAFETY: SPI is connected.
        let of = || Spi::connect(|_| unsafe { super::of(&STATEMENT, variant::of(&STATEMENT), &args) });
        let first = of();
        assert!(std::ptr::eq(&raw const *first, &raw const *of()), "the plan is kept");
        let kept = plans();
        Spi::run("ALTER TABLE agent_task_queue DROP COLUMN last_heartbeat_at").unwrap();
        let second = of();
        assert_eq!(plans(), kept + 1, "the first one is in use");
        drop(first);
        assert_eq!(plans(), kept);
        drop(second);
        assert_eq!(plans(), kept, "the session keeps the second one");
    }

    #[pg_test]
    fn analyzed_table_changes_no_text() {
        Spi::run("SELECT FROM multica_install()").unwrap();
        let first = variant::of(&STATEMENT);
        Spi::run("ANALYZE agent_task_queue").unwrap();
        assert!(std::ptr::eq(first, variant::of(&STATEMENT)));
        Spi::run("ALTER TABLE agent_task_queue RENAME last_heartbeat_at TO x").unwrap();
        assert_eq!(variant::of(&STATEMENT).sql, "SELECT $1");
        Spi::run("ALTER TABLE agent_task_queue RENAME x TO last_heartbeat_at").unwrap();
        assert!(std::ptr::eq(first, variant::of(&STATEMENT)));
    }
}

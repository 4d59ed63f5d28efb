//! Kept plans: one generic plan per statement and session. Planning a statement takes several times as long as running
//! it.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::PgList;
use pgrx::prelude::*;

use super::{Arg, Statement};

struct Kept {
    plan: pg_sys::SPIPlanPtr,
    oids: Vec<pg_sys::Oid>,
    is_planned: bool,
}

thread_local! {
    static KEPT: RefCell<HashMap<usize, Kept>> = RefCell::new(HashMap::new());
}

fn key(statement: &Statement) -> usize {
    std::ptr::from_ref(statement) as usize
}

/// Returns the plan of a statement, ready to run. A new or invalidated statement is parsed and planned here, before it
/// runs, so that an error about a missing object can be distinguished from an error of a trigger.
///
/// # Safety
/// SPI must be connected.
pub unsafe fn of(statement: &Statement, args: &[Arg]) -> pg_sys::SPIPlanPtr {
    // SAFETY: as the caller promises; a kept plan is never freed.
    unsafe {
        let (plan, is_planned) = kept(statement, args);
        if is_planned && pg_sys::SPI_plan_is_valid(plan) {
            return plan;
        }
        let planned = pg_sys::SPI_plan_get_cached_plan(plan);
        if !planned.is_null() {
            pg_sys::ReleaseCachedPlan(planned, pg_sys::CurrentResourceOwner);
        }
        KEPT.with_borrow_mut(|all| {
            if let Some(kept) = all.get_mut(&key(statement)) {
                kept.is_planned = true;
            }
        });
        plan
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

/// Returns the plan, which is prepared at its first use, and whether it has been planned yet.
unsafe fn kept(statement: &Statement, args: &[Arg]) -> (pg_sys::SPIPlanPtr, bool) {
    // SAFETY: SPI is connected, as the caller promises; one type is passed per parameter.
    KEPT.with_borrow_mut(|all| unsafe {
        if let Some(kept) = all.get(&key(statement)) {
            assert!(
                kept.oids.iter().eq(args.iter().map(|arg| &arg.oid)),
                "a statement is called with arguments of other types than it was prepared with"
            );
            return (kept.plan, kept.is_planned);
        }
        let mut oids: Vec<pg_sys::Oid> = args.iter().map(|arg| arg.oid).collect();
        let sql = std::ffi::CString::new(statement.sql).expect("statements hold no NUL byte");
        let plan = pg_sys::SPI_prepare_cursor(
            sql.as_ptr(),
            oids.len() as i32,
            oids.as_mut_ptr(),
            pg_sys::CURSOR_OPT_GENERIC_PLAN as i32,
        );
        if plan.is_null() || pg_sys::SPI_keepplan(plan) != 0 {
            let code = pg_sys::SPI_result;
            error!("SPI could not prepare a statement: code {code}");
        }
        let is_planned = false;
        all.insert(key(statement), Kept { plan, oids, is_planned });
        (plan, is_planned)
    })
}

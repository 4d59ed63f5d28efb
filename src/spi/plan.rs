//! Kept plans: one a statement and session, generic, and made to go by index.
//!
//! Planning a statement anew costs several times what running it does. A plan that is kept may be made while a table is
//! empty or not analyzed and is still in use when the table has millions of rows, so that the planner is told what to avoid.

use std::cell::RefCell;
use std::collections::HashMap;

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
    statement.sql.as_ptr() as usize
}

/// The plan of a statement, ready to run. What is new or was invalidated is parsed and planned here, apart from running it:
/// what is missing is noticed apart from what triggers do, and the planner's settings are changed for nothing else.
///
/// # Safety
/// SPI must be connected.
pub unsafe fn of(statement: &Statement, args: &[Arg]) -> pg_sys::SPIPlanPtr {
    unsafe {
        let (plan, is_planned) = kept(statement, args);
        if is_planned && pg_sys::SPI_plan_is_valid(plan) {
            return plan;
        }
        let level = pg_sys::NewGUCNestLevel();
        for setting in statement.avoids {
            pg_sys::set_config_option(
                setting.as_ptr(),
                c"off".as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
        let planned = pg_sys::SPI_plan_get_cached_plan(plan);
        if !planned.is_null() {
            pg_sys::ReleaseCachedPlan(planned, pg_sys::CurrentResourceOwner);
        }
        pg_sys::AtEOXact_GUC(true, level);
        KEPT.with_borrow_mut(|all| {
            if let Some(kept) = all.get_mut(&key(statement)) {
                kept.is_planned = true;
            }
        });
        plan
    }
}

/// The plan, prepared at its first use, and whether it has been planned yet.
unsafe fn kept(statement: &Statement, args: &[Arg]) -> (pg_sys::SPIPlanPtr, bool) {
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
        all.insert(
            key(statement),
            Kept {
                plan,
                oids,
                is_planned,
            },
        );
        (plan, is_planned)
    })
}

//! Kept plans: one a statement and session, generic, and made to go by index.
//!
//! Planning a statement anew costs several times what running it does. A plan that is kept may be made while a table is
//! empty or not analyzed and is still in use when the table has millions of rows, so that the planner is told what to avoid.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::OnceLock;

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
        let offer = Offer::only(statement.walks);
        let planned = pg_sys::SPI_plan_get_cached_plan(plan);
        if !planned.is_null() {
            pg_sys::ReleaseCachedPlan(planned, pg_sys::CurrentResourceOwner);
        }
        drop(offer);
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

/// The indexes that a statement may be planned with.
#[derive(Clone, Copy, PartialEq)]
pub enum Indexes {
    /// Whatever there is.
    All,
    /// Those of all rows, but for those that hold their status.
    Whole,
    /// Those of all rows whose order is that of the ids.
    LedById,
}

thread_local! {
    static OFFERED: Cell<Indexes> = const { Cell::new(Indexes::All) };
}

static PREVIOUS: OnceLock<pg_sys::get_relation_info_hook_type> = OnceLock::new();

/// What the planner is offered until this is dropped, by an error too.
struct Offer;

impl Offer {
    fn only(indexes: Indexes) -> Self {
        OFFERED.set(indexes);
        Self
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        OFFERED.set(Indexes::All);
    }
}

/// Has the planner ask here which indexes of a table there are. To be called when the library is loaded.
pub fn register() {
    unsafe {
        // SAFETY: hooks are set once, before anything is planned by this library.
        PREVIOUS.get_or_init(|| pg_sys::get_relation_info_hook);
        pg_sys::get_relation_info_hook = Some(offer);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn offer(
    root: *mut pg_sys::PlannerInfo,
    table: pg_sys::Oid,
    is_parent: bool,
    rel: *mut pg_sys::RelOptInfo,
) {
    unsafe {
        if let Some(Some(previous)) = PREVIOUS.get() {
            previous(root, table, is_parent, rel);
        }
        let offered = OFFERED.get();
        if offered != Indexes::All {
            let id = pg_sys::get_attnum(table, c"id".as_ptr());
            let status = pg_sys::get_attnum(table, c"status".as_ptr());
            let all = PgList::<pg_sys::IndexOptInfo>::from_pg((*rel).indexlist);
            let mut kept = PgList::new();
            all.iter_ptr()
                .filter(|index| {
                    let index = &**index;
                    index.indpred.is_null()
                        && match offered {
                            Indexes::LedById => led_by(index, id),
                            _ => !has_key(index, status),
                        }
                })
                .for_each(|index| kept.push(index));
            (*rel).indexlist = kept.into_pg();
        }
    }
}

fn has_key(index: &pg_sys::IndexOptInfo, column: pg_sys::AttrNumber) -> bool {
    // Zero stands for a table without the column, and in an index for an expression.
    column != 0 && keys(index).contains(&i32::from(column))
}

fn led_by(index: &pg_sys::IndexOptInfo, column: pg_sys::AttrNumber) -> bool {
    column != 0 && keys(index).first() == Some(&i32::from(column))
}

fn keys(index: &pg_sys::IndexOptInfo) -> &[i32] {
    // SAFETY: the planner has just filled the array for so many columns.
    unsafe { std::slice::from_raw_parts(index.indexkeys, index.ncolumns as usize) }
}

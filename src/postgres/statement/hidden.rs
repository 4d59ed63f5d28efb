//! Row-level security must not make a call decide on only some of the rows. Therefore a statement that decides raises
//! an error when it reads a hidden row, instead of leaving the row out.
//!
//! The query that Postgres plans contains the policies of each table. Each policy gets an alternative by OR, which is
//! evaluated only for a row that the policy hides. The alternative is a parameter that no statement has, so that
//! Postgres raises an error when it evaluates the parameter. A role whose policies show every row that the statement
//! reads gets no error, and without policies nothing changes.

use std::cell::RefCell;
use std::ffi::{CStr, c_int, c_void};

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReportWithLevel;
use pgrx::prelude::*;
use pgrx::{PgList, is_a};

use crate::error::{Error, Word};
use crate::postgres::tree::{walk_expression, walk_query};

/// The alias of a table whose hidden rows every statement leaves out. The statement reads there the one row that the
/// call is about, and a row that the caller may not see is treated as unknown.
const ASKED: &[u8] = b"asked";

/// Parameters from this number on represent hidden rows. No statement has so many parameters.
const FIRST: usize = 1_000_000;

thread_local! {
    /// The tables whose hidden rows the parameters represent, in the order of the parameters.
    static TABLES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A table of a query and its policies. The policies are removed from the query while it is walked, so that the tables
/// that a policy itself reads are filtered as usual.
struct Filtered {
    entry: *mut pg_sys::RangeTblEntry,
    /// Number of the table in its query.
    number: c_int,
    policies: *mut pg_sys::List,
}

/// Changes a query that is about to be planned: it raises an error when it reads a row that a policy hides.
///
/// # Safety
/// The query must be a valid one that belongs to the caller.
pub unsafe fn refuse(query: *mut pg_sys::Query) {
    let mut found: Vec<Filtered> = Vec::new();
    // SAFETY: as the caller promises; the entries in `found` are those of this query.
    unsafe {
        take(query.cast(), (&raw mut found).cast());
        for filtered in found {
            let entry = &mut *filtered.entry;
            let is_asked = CStr::from_ptr((*entry.eref).aliasname).to_bytes() == ASKED;
            entry.securityQuals =
                if is_asked { filtered.policies } else { with_alternative(entry, filtered.number, filtered.policies) };
        }
    }
}

/// Collects the tables with policies, in a query and in all its subqueries.
unsafe extern "C-unwind" fn take(node: *mut pg_sys::Node, found: *mut c_void) -> bool {
    // SAFETY: Postgres passes nodes of the query, and the vector that `refuse` passed to the walker.
    unsafe {
        if node.is_null() {
            return false;
        }
        if !is_a(node, pg_sys::NodeTag::T_Query) {
            return walk_expression(node, take, found);
        }
        let query = node.cast::<pg_sys::Query>();
        let entries = PgList::<pg_sys::RangeTblEntry>::from_pg((*query).rtable);
        let all = &mut *found.cast::<Vec<Filtered>>();
        for (entry, number) in entries.iter_ptr().zip(1..) {
            let policies = std::mem::replace(&mut (*entry).securityQuals, std::ptr::null_mut());
            if !policies.is_null() {
                all.push(Filtered { entry, number, policies });
            }
        }
        // The policies that check written rows are not walked either, so that what they read is filtered as usual.
        let checks = std::mem::replace(&mut (*query).withCheckOptions, std::ptr::null_mut());
        let stopped = walk_query(query, take, found, 0);
        (*query).withCheckOptions = checks;
        stopped
    }
}

/// Returns the policies of a table, each with the alternative `parameter = pg_table_is_visible(tableoid)`. The
/// parameter is evaluated first and raises the error. The rest is for the planner: it makes the alternative depend on
/// the row, and makes it cost more than the conditions of the statement, which must be evaluated before it.
unsafe fn with_alternative(
    entry: &pg_sys::RangeTblEntry,
    number: c_int,
    policies: *mut pg_sys::List,
) -> *mut pg_sys::List {
    // SAFETY: all nodes are new and are allocated in the memory context of the query, as the planner expects.
    unsafe {
        let parameter = pg_sys::palloc0(size_of::<pg_sys::Param>()).cast::<pg_sys::Param>();
        (*parameter).xpr.type_ = pg_sys::NodeTag::T_Param;
        (*parameter).paramkind = pg_sys::ParamKind::PARAM_EXTERN;
        (*parameter).paramid = parameter_of(entry.relid);
        (*parameter).paramtype = pg_sys::BOOLOID;
        (*parameter).paramtypmod = -1;
        (*parameter).location = -1;
        let table = pg_sys::makeVar(
            number as _,
            pg_sys::TableOidAttributeNumber as _,
            pg_sys::OIDOID,
            -1,
            pg_sys::InvalidOid,
            0,
        );
        let visible = call(pg_sys::F_PG_TABLE_IS_VISIBLE, &[table.cast()]);
        let alternative = call(pg_sys::F_BOOLEQ, &[parameter.cast(), visible]);
        let mut all = PgList::<pg_sys::Expr>::new();
        for policy in PgList::<pg_sys::Expr>::from_pg(policies).iter_ptr() {
            let mut either = PgList::<pg_sys::Expr>::new();
            either.push(policy);
            either.push(pg_sys::copyObjectImpl(alternative.cast()).cast());
            all.push(pg_sys::make_orclause(either.into_pg()));
        }
        all.into_pg()
    }
}

unsafe fn call(function: u32, arguments: &[*mut pg_sys::Expr]) -> *mut pg_sys::Expr {
    let mut list = PgList::<pg_sys::Expr>::new();
    for argument in arguments {
        list.push(*argument);
    }
    // SAFETY: the function returns a boolean and takes arguments of these types.
    unsafe {
        pg_sys::makeFuncExpr(
            function.into(),
            pg_sys::BOOLOID,
            list.into_pg(),
            pg_sys::InvalidOid,
            pg_sys::InvalidOid,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
        )
        .cast()
    }
}

/// Returns the parameter that represents the hidden rows of a table.
fn parameter_of(table: pg_sys::Oid) -> c_int {
    // SAFETY: Postgres returns a name, or NULL for a table that was dropped.
    let name = unsafe {
        let name = pg_sys::get_rel_name(table);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    };
    let name = name.unwrap_or_default();
    TABLES.with_borrow_mut(|all| {
        let at = all.iter().position(|it| *it == name).unwrap_or_else(|| {
            all.push(name);
            all.len() - 1
        });
        (FIRST + at) as c_int
    })
}

/// Returns the error to be raised (55000) if the error of Postgres means that a statement read a hidden row.
pub fn error_of(error: &ErrorReportWithLevel) -> Option<Error> {
    if error.sql_error_code() != PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT {
        return None;
    }
    // The message contains the number of the parameter in every language.
    let words = error.message().split(|c: char| !c.is_ascii_digit());
    let number = words.filter_map(|word| word.parse::<usize>().ok()).max()?;
    let at = number.checked_sub(FIRST)?;
    let table = TABLES.with_borrow(|all| all.get(at).cloned())?;
    Some(Error::state(
        Word::RowsHidden,
        "row-level security hides rows that this call depends on",
        format!("The policies of table \"{table}\" hide them from the current role."),
        "Call the function as a role whose policies show these rows, or as a role with BYPASSRLS.",
    ))
}

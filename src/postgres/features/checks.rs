//! The words that a CHECK lists, and the texts in a predicate. They are read from the expression tree that Postgres
//! stores, so the spelling, quotes and casts of the original SQL make no difference.

use std::ffi::{CStr, CString, c_void};

use pgrx::prelude::*;
use pgrx::{FromDatum, is_a};

use crate::postgres::tree::walk_expression;

/// A CHECK of a table.
#[derive(Clone)]
pub struct Check {
    /// The expression as the catalogue stores it. An equal expression is not parsed again.
    source: CString,
    /// The number of the column if the CHECK uses exactly one; otherwise None.
    pub column: Option<pg_sys::AttrNumber>,
    /// The words that the CHECK compares for equality; empty if it compares none.
    pub words: Vec<String>,
}

/// The columns and texts of an expression.
#[derive(Default)]
struct Found {
    columns: Vec<pg_sys::AttrNumber>,
    /// Texts that are compared for equality.
    compared: Vec<String>,
    /// All texts.
    texts: Vec<String>,
    is_compared: bool,
}

impl Check {
    /// Returns the CHECK of this expression, as a copy from `known` if it is there.
    ///
    /// # Safety
    /// The expression must be one of the catalogue.
    pub unsafe fn of(source: &CStr, known: &[Self]) -> Self {
        if let Some(known) = known.iter().find(|known| known.source.as_c_str() == source) {
            return known.clone();
        }
        // SAFETY: as the caller promises.
        let found = unsafe { Found::of(source) };
        let column = match found.columns[..] {
            [first, ref rest @ ..] if rest.iter().all(|other| *other == first) => Some(first),
            _ => None,
        };
        Self { source: source.to_owned(), column, words: found.compared }
    }
}

/// Returns all texts in an expression.
///
/// # Safety
/// The expression must be one of the catalogue.
pub unsafe fn texts(source: &CStr) -> Vec<String> {
    // SAFETY: as the caller promises.
    unsafe { Found::of(source) }.texts
}

impl Found {
    unsafe fn of(source: &CStr) -> Self {
        let mut found = Self::default();
        // SAFETY: stringToNode() reads every expression of the catalogue. The walker receives the value that it
        // expects.
        unsafe {
            let expression = pg_sys::stringToNode(source.as_ptr()).cast();
            walk(expression, (&raw mut found).cast());
        }
        found
    }

    unsafe fn add(&mut self, constant: &pg_sys::Const) {
        // SAFETY: the value is of the constant's type.
        let texts: Vec<Option<String>> = unsafe {
            match constant.consttype {
                pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => {
                    vec![String::from_datum(constant.constvalue, constant.constisnull)]
                }
                pg_sys::TEXTARRAYOID | pg_sys::VARCHARARRAYOID | pg_sys::BPCHARARRAYOID => {
                    let oid = constant.consttype;
                    Vec::from_polymorphic_datum(constant.constvalue, constant.constisnull, oid).unwrap_or_default()
                }
                _ => Vec::new(),
            }
        };
        for text in texts.into_iter().flatten() {
            if self.is_compared {
                self.compared.push(text.clone());
            }
            self.texts.push(text);
        }
    }
}

/// Whether a node is `column = 'word'` or `column IN ('word', …)`, which Postgres stores as `column = ANY (…)`.
unsafe fn compares(node: *mut pg_sys::Node) -> bool {
    const EQUAL: [u32; 2] = [pg_sys::TextEqualOperator, pg_sys::BpcharEqualOperator];
    // SAFETY: the tag of a node determines its type.
    let operator = unsafe {
        if is_a(node, pg_sys::NodeTag::T_ScalarArrayOpExpr) {
            let list = &*node.cast::<pg_sys::ScalarArrayOpExpr>();
            list.useOr.then_some(list.opno)
        } else if is_a(node, pg_sys::NodeTag::T_OpExpr) {
            Some((*node.cast::<pg_sys::OpExpr>()).opno)
        } else {
            None
        }
    };
    operator.is_some_and(|operator| EQUAL.contains(&operator.to_u32()))
}

unsafe extern "C-unwind" fn walk(node: *mut pg_sys::Node, found: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: Postgres passes nodes of the expression, and the value that `Found::of` passed to the walker.
    unsafe {
        let all = &mut *found.cast::<Found>();
        if is_a(node, pg_sys::NodeTag::T_Var) {
            all.columns.push((*node.cast::<pg_sys::Var>()).varattno);
        } else if is_a(node, pg_sys::NodeTag::T_Const) {
            all.add(&*node.cast::<pg_sys::Const>());
        }
        let outer = all.is_compared;
        all.is_compared = outer || compares(node);
        let stopped = walk_expression(node, walk, found);
        (*found.cast::<Found>()).is_compared = outer;
        stopped
    }
}

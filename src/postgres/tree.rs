//! The functions by which Postgres walks a tree: a query, an expression, or a parsed statement.

use std::ffi::{c_int, c_void};

use pgrx::prelude::*;

/// A function that Postgres calls for each node; it returns true to stop.
pub type Walker = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> bool;

// The bindings of pgrx lack these functions for Postgres 14 and 15. They have no guard against errors here: Postgres
// raises one only for a node of an unknown type, or for a tree that is too deep.
// SAFETY: the signatures are equal to those in nodeFuncs.h of every supported version.
unsafe extern "C-unwind" {
    /// Calls `walker` for each part of a query; it descends into a subquery only if `walker` does.
    #[cfg_attr(any(feature = "pg14", feature = "pg15"), link_name = "query_tree_walker")]
    #[cfg_attr(not(any(feature = "pg14", feature = "pg15")), link_name = "query_tree_walker_impl")]
    pub fn walk_query(query: *mut pg_sys::Query, walker: Walker, found: *mut c_void, flags: c_int) -> bool;

    /// Calls `walker` for each child of a node of an expression.
    #[cfg_attr(any(feature = "pg14", feature = "pg15"), link_name = "expression_tree_walker")]
    #[cfg_attr(not(any(feature = "pg14", feature = "pg15")), link_name = "expression_tree_walker_impl")]
    pub fn walk_expression(node: *mut pg_sys::Node, walker: Walker, found: *mut c_void) -> bool;

    /// Calls `walker` for each child of a node that was parsed and not analyzed.
    #[cfg_attr(any(feature = "pg14", feature = "pg15"), link_name = "raw_expression_tree_walker")]
    #[cfg_attr(not(any(feature = "pg14", feature = "pg15")), link_name = "raw_expression_tree_walker_impl")]
    pub fn walk_parsed(node: *mut pg_sys::Node, walker: Walker, found: *mut c_void) -> bool;
}

//! Unusual and invalid arguments, rows, names, settings and triggers, for every routine in the catalogue, so that new
//! routines are covered too.

mod arguments;
mod names;
pub(super) mod routine;
mod rows;
mod surroundings;
mod triggers;

use super::Suite;

/// Tests that depend on the names, settings and types of a version of Postgres.
pub const ALL: &[(&str, Suite)] = suite![
    rows::tasks_with_infinite_times_can_be_processed,
    names::shadowing_objects_are_never_used,
    surroundings::no_setting_changes_result_of_call,
    surroundings::no_transaction_mode_changes_result_of_call,
];

/// Tests of the extension's own checks.
pub const AT_HOME: &[(&str, Suite)] = suite![
    arguments::no_argument_causes_internal_error,
    rows::no_row_causes_internal_error,
    triggers::trigger_that_skips_rows_causes_no_internal_error,
    surroundings::rolled_back_call_leaves_nothing,
    surroundings::renamed_schema_causes_no_internal_error,
];

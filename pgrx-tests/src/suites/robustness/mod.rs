//! What nobody means to call: arguments, rows and names that are chosen to do harm, for every routine that the
//! catalogue has, so that a new one is covered without anybody's doing.

mod arguments;
mod names;
pub(super) mod routine;
mod rows;
mod surroundings;
mod triggers;

use super::Suite;

/// What depends on the names, settings and types that a version has.
pub const ALL: &[(&str, Suite)] = suite![
    rows::tasks_with_infinite_times_can_be_processed,
    names::shadowing_objects_are_never_used,
    surroundings::no_setting_changes_result_of_call,
    surroundings::no_transaction_mode_changes_result_of_call,
];

/// What the checks of our calls answer.
pub const AT_HOME: &[(&str, Suite)] = suite![
    arguments::no_argument_causes_internal_error,
    rows::no_row_causes_internal_error,
    triggers::trigger_that_skips_rows_causes_no_internal_error,
    surroundings::rolled_back_call_leaves_nothing,
    surroundings::renamed_schema_causes_no_internal_error,
];

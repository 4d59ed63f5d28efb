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
    rows::rows_of_an_infinite_time_can_be_worked_off,
    names::no_name_of_others_is_ever_used,
    surroundings::no_setting_changes_what_a_call_does,
    surroundings::no_kind_of_transaction_changes_what_a_call_does,
];

/// What the checks of our calls answer.
pub const AT_HOME: &[(&str, Suite)] = suite![
    arguments::no_argument_is_an_internal_error,
    rows::no_row_is_an_internal_error,
    triggers::trigger_that_keeps_rows_out_is_no_internal_error,
    surroundings::call_that_is_taken_back_leaves_nothing,
    surroundings::renamed_schema_is_no_internal_error,
];

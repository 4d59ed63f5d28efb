//! multica_grant(): each capability is enough for its own calls and for nothing else.

mod calls;
mod hints;
mod install;
mod refuse;
pub(super) mod support;

use super::Suite;
pub use support::{holder, routines};

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    calls::each_capability_is_enough_for_its_story,
    calls::nobody_may_call_what_others_are_for,
    calls::no_privilege_on_a_table_is_for_nothing,
    calls::secrets_of_agents_stay_secret,
    hints::each_names_the_capability_that_mends_it,
    hints::after_reassign_owned_each_says_what_mends,
    install::given_before_install_is_completed_by_it,
    install::columns_that_install_adds_are_granted_too,
    install::dump_carries_what_was_given,
    refuse::bad_arguments_are_refused,
    refuse::only_owner_and_superuser_grant,
    refuse::any_name_of_a_role_will_do,
    refuse::two_at_once_both_succeed,
];

//! multica_grant(): each capability is enough for its own calls and for nothing else.

mod calls;
mod install;
mod refuse;
pub(super) mod support;

use super::Suite;
pub use support::{holder, routines};

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = &[
    (
        "grant/each_capability_is_enough_for_its_story",
        calls::each_capability_is_enough_for_its_story,
    ),
    (
        "grant/nobody_may_call_what_others_are_for",
        calls::nobody_may_call_what_others_are_for,
    ),
    (
        "grant/no_privilege_on_a_table_is_for_nothing",
        calls::no_privilege_on_a_table_is_for_nothing,
    ),
    (
        "grant/secrets_of_agents_stay_secret",
        calls::secrets_of_agents_stay_secret,
    ),
    (
        "grant/given_before_install_is_completed_by_it",
        install::given_before_install_is_completed_by_it,
    ),
    (
        "grant/columns_that_install_adds_are_granted_too",
        install::columns_that_install_adds_are_granted_too,
    ),
    (
        "grant/dump_carries_what_was_given",
        install::dump_carries_what_was_given,
    ),
    (
        "grant/bad_arguments_are_refused",
        refuse::bad_arguments_are_refused,
    ),
    (
        "grant/only_owner_and_superuser_grant",
        refuse::only_owner_and_superuser_grant,
    ),
    (
        "grant/any_name_of_a_role_will_do",
        refuse::any_name_of_a_role_will_do,
    ),
    (
        "grant/two_at_once_both_succeed",
        refuse::two_at_once_both_succeed,
    ),
];

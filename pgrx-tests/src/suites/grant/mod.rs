//! multica_grant(): each capability suffices for its own calls, and for no others.

mod calls;
mod hints;
mod install;
mod refuse;
pub(super) mod support;

use super::Suite;
pub use support::{holder, routines};

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    calls::each_capability_suffices_for_its_calls,
    calls::role_cannot_call_functions_of_other_capabilities,
    calls::every_granted_privilege_is_needed,
    calls::no_capability_reads_agent_secrets,
    hints::hint_names_sufficient_capability,
    hints::hint_after_reassign_owned_restores_access,
    install::install_completes_earlier_grants,
    install::install_grants_added_columns,
    install::dump_keeps_grants,
    refuse::bad_arguments_are_refused,
    refuse::only_owner_and_superuser_grant,
    refuse::role_names_are_quoted,
    refuse::concurrent_grants_succeed,
];

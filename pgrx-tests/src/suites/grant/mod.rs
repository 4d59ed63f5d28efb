//! Capabilities: each suffices for its own calls, and for no others. Calls act as the owner of the tables.

mod acting;
mod attacks;
mod calls;
mod hints;
mod install;
mod refuse;
mod revoke;
pub(super) mod support;

use super::Suite;
pub use support::{holder, routines};

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    acting::every_call_needs_no_privilege_on_tables,
    acting::role_is_the_callers_after_each_call,
    acting::triggers_run_as_owner,
    acting::nested_calls_keep_the_role_of_the_trigger,
    acting::policies_of_the_caller_are_not_bypassed,
    acting::change_of_owner_is_noticed,
    acting::status_shows_other_sessions_as_to_its_caller,
    attacks::temporary_relation_is_refused,
    attacks::open_schema_is_refused,
    attacks::open_schema_keeps_earlier_grants_working,
    attacks::tables_of_several_owners_are_used_as_the_caller,
    attacks::no_function_returns_agent_secrets,
    attacks::error_does_not_show_agent_secrets,
    attacks::settings_of_the_caller_change_no_rights,
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
    revoke::earlier_grants_are_listed_and_taken_away,
    revoke::other_capability_is_kept,
    revoke::role_without_capability_is_left_alone,
    revoke::grants_of_other_roles_remain,
];

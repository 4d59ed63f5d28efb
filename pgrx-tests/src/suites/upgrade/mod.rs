//! Updates from one version to the next: the catalogue after an update, the calls between its steps, and the package.

mod between;
mod catalogue;
mod inventory;
mod package;
mod released;
mod replaced;
mod steps;
mod support;
mod worker;

use super::Suite;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    released::released_scripts_are_unchanged,
    released::library_exports_symbols_of_released_scripts,
    released::every_release_can_update_to_this_version,
    released::every_release_updates_beside_newest_server,
    catalogue::updated_catalogue_equals_fresh_install,
    catalogue::update_keeps_grants,
    catalogue::update_by_another_superuser_keeps_owners,
    between::open_sessions_work_at_every_update_step,
    between::old_library_works_with_newer_objects,
    between::update_before_restart_is_refused,
    replaced::view_on_replaced_function_is_named,
    replaced::every_kind_of_user_of_replaced_function_is_named,
    replaced::dump_has_privileges_on_replaced_functions,
    steps::large_tables_are_migrated_in_steps,
    steps::procedure_migrates_tables,
    steps::install_never_waits_in_lock_queue,
    steps::indexes_of_large_tables_are_built_when_asked,
    worker::worker_sweeps_between_update_steps,
    package::package_can_be_installed,
];

//! multica_install(): what it creates, adopts and refuses, and dumps of its tables.

mod adopt;
mod create;
mod generations;
mod incomplete;
mod refuse;
mod restore;
pub mod support;

use super::Suite;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    create::created_tables_match_server_tables,
    create::second_install_writes_nothing,
    create::dry_run_lists_all_and_changes_nothing,
    create::defaults_fill_number_mode_and_status,
    create::install_in_own_schema_ignores_public,
    create::every_object_has_a_comment,
    create::install_error_rolls_back_only_callers_block,
    adopt::adoption_keeps_every_row,
    adopt::migrator_skips_added_columns,
    adopt::install_keeps_unknown_objects,
    adopt::index_built_by_hand_is_adopted,
    adopt::wider_index_is_adopted_and_index_with_history_is_not,
    adopt::table_owner_needs_no_superuser,
    adopt::objects_created_by_superuser_belong_to_table_owner,
    adopt::foreign_schema_migrations_is_not_written,
    incomplete::incomplete_install_is_completed,
    incomplete::missing_columns_of_055_are_added,
    incomplete::missing_constraints_are_reported_not_added,
    incomplete::missing_pending_slot_is_added,
    incomplete::error_names_invalid_index,
    incomplete::concurrent_installs_succeed,
    incomplete::install_warns_of_unsafe_objects,
    refuse::encodings_other_than_utf8_are_refused,
    refuse::several_table_owners_are_refused,
    refuse::unprivileged_roles_are_refused,
    restore::dump_restores_created_database,
    restore::dump_restores_adopted_database,
    restore::dump_restores_newest_generation,
    restore::drop_extension_keeps_every_row,
];

/// Tests of the checks in install: for which locks it waits, and what it refuses.
pub const AT_HOME: &[(&str, Suite)] = suite![
    create::created_later_columns_match_newest_generation,
    generations::every_generation_is_adopted,
    generations::migrations_of_server_succeed_after_install,
    incomplete::install_stops_waiting_for_locked_table,
    refuse::refused_install_names_reason_and_changes_nothing,
];

//! multica_install(): what it creates, what it adopts, what it refuses to touch, and that dumps carry it all.

mod adopt;
mod create;
mod half;
mod refuse;
mod restore;
pub mod support;

use super::Suite;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    create::created_tables_have_the_shape_of_the_servers,
    create::second_call_writes_nothing,
    create::dry_run_lists_all_and_changes_nothing,
    create::newcomer_needs_no_number_mode_or_status,
    create::own_schema_leaves_public_alone,
    create::everything_says_what_it_is_for,
    create::error_inside_rolls_back_no_more_than_the_callers_block,
    adopt::server_database_keeps_every_row,
    adopt::migrator_passes_over_what_was_added,
    adopt::unknown_extras_are_left_alone,
    adopt::index_built_by_hand_serves,
    adopt::wider_index_serves_and_one_with_history_does_not,
    adopt::table_owner_needs_no_superuser,
    adopt::what_a_superuser_creates_belongs_to_the_owner,
    adopt::other_migration_lists_are_not_touched,
    half::half_installed_is_completed,
    half::some_columns_of_055_get_the_others,
    half::missing_constraints_are_reported_not_added,
    half::missing_pending_slot_is_added,
    half::invalid_index_is_named,
    half::two_at_once_both_succeed,
    half::warns_of_what_runs_under_its_search_path,
    refuse::other_encodings_are_refused_by_name,
    refuse::several_owners_are_named,
    refuse::strangers_are_refused,
    restore::dump_carries_a_created_database,
    restore::dump_carries_an_adopted_database,
    restore::drop_extension_leaves_every_row,
];

/// What install waits for and what it refuses: our own checks.
pub const AT_HOME: &[(&str, Suite)] =
    suite![half::busy_table_is_not_waited_for_for_ever, refuse::refusals_name_the_reason_and_touch_nothing,];

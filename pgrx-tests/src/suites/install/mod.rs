//! multica_install(): what it creates, what it adopts, what it refuses to touch, and that dumps carry it all.

mod adopt;
mod create;
mod half;
mod refuse;
mod restore;
pub mod support;

use super::Suite;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = &[
    (
        "install/created_tables_have_the_shape_of_the_servers",
        create::created_tables_have_the_shape_of_the_servers,
    ),
    (
        "install/second_call_writes_nothing",
        create::second_call_writes_nothing,
    ),
    (
        "install/dry_run_lists_all_and_changes_nothing",
        create::dry_run_lists_all_and_changes_nothing,
    ),
    (
        "install/newcomer_needs_no_number_mode_or_status",
        create::newcomer_needs_no_number_mode_or_status,
    ),
    (
        "install/own_schema_leaves_public_alone",
        create::own_schema_leaves_public_alone,
    ),
    (
        "install/everything_says_what_it_is_for",
        create::everything_says_what_it_is_for,
    ),
    (
        "install/error_inside_rolls_back_no_more_than_the_callers_block",
        create::error_inside_rolls_back_no_more_than_the_callers_block,
    ),
    (
        "install/server_database_keeps_every_row",
        adopt::server_database_keeps_every_row,
    ),
    (
        "install/migrator_passes_over_what_was_added",
        adopt::migrator_passes_over_what_was_added,
    ),
    (
        "install/unknown_extras_are_left_alone",
        adopt::unknown_extras_are_left_alone,
    ),
    (
        "install/index_built_by_hand_serves",
        adopt::index_built_by_hand_serves,
    ),
    (
        "install/wider_index_serves_and_one_with_history_does_not",
        adopt::wider_index_serves_and_one_with_history_does_not,
    ),
    (
        "install/table_owner_needs_no_superuser",
        adopt::table_owner_needs_no_superuser,
    ),
    (
        "install/what_a_superuser_creates_belongs_to_the_owner",
        adopt::what_a_superuser_creates_belongs_to_the_owner,
    ),
    (
        "install/other_migration_lists_are_not_touched",
        adopt::other_migration_lists_are_not_touched,
    ),
    (
        "install/half_installed_is_completed",
        half::half_installed_is_completed,
    ),
    (
        "install/some_columns_of_055_get_the_others",
        half::some_columns_of_055_get_the_others,
    ),
    (
        "install/missing_constraints_are_reported_not_added",
        half::missing_constraints_are_reported_not_added,
    ),
    (
        "install/missing_pending_slot_is_added",
        half::missing_pending_slot_is_added,
    ),
    (
        "install/invalid_index_is_named",
        half::invalid_index_is_named,
    ),
    (
        "install/busy_table_is_not_waited_for_for_ever",
        half::busy_table_is_not_waited_for_for_ever,
    ),
    (
        "install/two_at_once_both_succeed",
        half::two_at_once_both_succeed,
    ),
    (
        "install/warns_of_what_runs_under_its_search_path",
        half::warns_of_what_runs_under_its_search_path,
    ),
    (
        "install/refusals_name_the_reason_and_touch_nothing",
        refuse::refusals_name_the_reason_and_touch_nothing,
    ),
    (
        "install/other_encodings_are_refused_by_name",
        refuse::other_encodings_are_refused_by_name,
    ),
    (
        "install/several_owners_are_named",
        refuse::several_owners_are_named,
    ),
    (
        "install/strangers_are_refused",
        refuse::strangers_are_refused,
    ),
    (
        "install/dump_carries_a_created_database",
        restore::dump_carries_a_created_database,
    ),
    (
        "install/dump_carries_an_adopted_database",
        restore::dump_carries_an_adopted_database,
    ),
    (
        "install/drop_extension_leaves_every_row",
        restore::drop_extension_leaves_every_row,
    ),
];

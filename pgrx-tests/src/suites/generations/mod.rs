//! Databases of the server as they are after its migrations, which other suites use. Each has the described shape and
//! rows of every kind, and can be migrated to the next generation.

mod functions;
mod rows;
mod shape;

use super::Suite;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    shape::every_generation_is_built_as_its_catalogue_says,
    shape::walk_reaches_every_generation,
    shape::walk_back_reaches_first_generation,
    rows::every_generation_has_rows_of_every_kind,
    functions::usage_of_changed_task_is_summed_up_again,
    functions::secrets_are_deleted_at_end_of_task,
    functions::owner_rows_are_looked_for,
    functions::status_of_workspace_has_category,
    functions::message_of_other_revision_keeps_its_task,
];

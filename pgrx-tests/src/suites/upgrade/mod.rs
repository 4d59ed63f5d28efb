//! From one version to the next: what an update leaves, what works between its steps, and the package that brings it.

mod between;
mod catalogue;
mod package;
mod picture;
mod released;
mod support;
mod worker;

use super::Suite;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    released::released_scripts_stay_as_they_were,
    released::library_has_what_released_scripts_call,
    released::every_release_leads_to_this_version,
    catalogue::updated_is_what_a_fresh_install_is,
    catalogue::grants_before_it_are_grants_after_it,
    catalogue::another_superuser_takes_nothing_over,
    between::clients_of_a_release_work_at_every_step,
    between::library_behind_its_objects_serves_them,
    between::update_before_the_restart_is_refused,
    worker::worker_sweeps_between_the_steps,
    package::package_can_be_installed,
];

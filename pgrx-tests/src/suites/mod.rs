//! Tests that need commits, several sessions, restarts or clusters of their own: plain functions, one topic a file.

mod cluster;
mod worker;
mod worker_databases;
mod worker_identity;
mod worker_life;

use anyhow::Result;

use crate::context::Context;

/// A test: it fails by returning an error or by panicking.
pub type Suite = fn(&Context) -> Result<()>;

/// Every test, under the name it is reported with.
pub const ALL: &[(&str, Suite)] = &[
    (
        "cluster/fresh_databases_do_not_see_each_other",
        cluster::fresh_databases_do_not_see_each_other,
    ),
    (
        "cluster/kill_keeps_what_was_committed",
        cluster::kill_keeps_what_was_committed,
    ),
    (
        "cluster/standby_takes_writes_after_promotion",
        cluster::standby_takes_writes_after_promotion,
    ),
    (
        "worker/a_refused_task_delays_only_itself",
        worker_databases::a_refused_task_delays_only_itself,
    ),
    (
        "worker/an_error_in_one_does_not_stop_the_others",
        worker_databases::an_error_in_one_does_not_stop_the_others,
    ),
    (
        "worker/what_cannot_be_swept_is_said_once",
        worker_databases::what_cannot_be_swept_is_said_once,
    ),
    (
        "worker/a_database_can_be_copied_and_dropped_in_mid_backlog",
        worker_databases::a_database_can_be_copied_and_dropped_in_mid_backlog,
    ),
    (
        "worker/a_trigger_can_do_no_more_than_the_owner",
        worker_identity::a_trigger_can_do_no_more_than_the_owner,
    ),
    (
        "worker/settings_of_the_database_do_not_reach_the_superuser",
        worker_identity::settings_of_the_database_do_not_reach_the_superuser,
    ),
    (
        "worker/tables_of_several_owners_are_not_swept",
        worker_identity::tables_of_several_owners_are_not_swept,
    ),
    (
        "worker/daemons_get_time_to_beat_after_an_outage",
        worker_life::daemons_get_time_to_beat_after_an_outage,
    ),
    (
        "worker/death_is_noticed_at_its_moment",
        worker_life::death_is_noticed_at_its_moment,
    ),
    (
        "worker/a_reload_counts_at_once",
        worker_life::a_reload_counts_at_once,
    ),
    (
        "worker/what_is_terminated_comes_back",
        worker_life::what_is_terminated_comes_back,
    ),
    (
        "worker/a_fast_shutdown_does_not_wait_for_a_sweep",
        worker_life::a_fast_shutdown_does_not_wait_for_a_sweep,
    ),
    (
        "worker/a_standby_begins_to_sweep_when_promoted",
        worker_life::a_standby_begins_to_sweep_when_promoted,
    ),
];

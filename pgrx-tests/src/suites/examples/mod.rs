//! The programs of docs/examples, run as a reader would run them.

mod app_server;
mod daemon;
mod process;

use super::Suite;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    daemon::daemon_resumes_stops_and_leaves,
    app_server::app_server_killed_at_random_has_every_effect_once,
    app_server::app_server_answers_bad_requests,
];

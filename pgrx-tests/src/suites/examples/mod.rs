//! The programs of docs/examples, each run from a copy of its own file.

mod app_server;
mod bridge;
mod daemon;
mod process;

use super::Suite;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    daemon::daemon_resumes_stops_and_deregisters,
    app_server::killed_app_server_applies_each_event_once,
    app_server::app_server_rejects_bad_requests,
    bridge::killed_bridge_skips_no_event,
    bridge::bridge_killed_before_commit_sends_the_event_again,
    bridge::bridge_outlives_redis_and_postgres,
    bridge::bridge_explains_why_it_cannot_work,
];

//! What does not travel with the rows: sequences, counters, positions, and what install makes beside tables.

mod counters;
mod ids;
mod parts;
mod replicated;
mod restored;

use anyhow::Result;
use postgres::Client;

use super::Suite;
use super::support::{id, value};

/// Dumps, replication, copies of a cluster, and the catalogue.
pub const ALL: &[(&str, Suite)] = suite![
    restored::log_restored_alone_begins_anew,
    restored::database_restored_over_itself_begins_anew,
    restored::data_only_restore_meets_no_row,
    restored::copy_of_a_template_is_another_log,
    restored::promoted_server_is_another_log,
    replicated::subscriber_takes_the_place_of_its_publisher,
    parts::moved_database_is_used,
    parts::moved_tables_are_used,
    parts::what_install_made_is_mended,
    parts::what_somebody_wanted_is_left_alone,
];

/// Ids and counters that differ from the rows.
pub const AT_HOME: &[(&str, Suite)] = suite![
    ids::log_behind_its_rows_begins_anew,
    ids::sequence_at_its_end_fails_with_a_raw_error,
    ids::only_one_of_two_sessions_has_the_log_begin_anew,
    ids::rolled_back_repair_leaves_no_silent_gap,
    ids::position_beyond_the_last_id_is_an_error,
    ids::emptied_log_is_no_silent_gap,
    ids::log_that_is_made_again_is_no_silent_gap,
    ids::daemon_records_on_a_log_behind_its_rows,
    counters::imported_issues_are_numbered_on,
    counters::counter_of_an_adopted_database_is_reported,
    counters::totals_go_on_beside_rows_that_came_without_their_sequence,
];

/// A call that records one event, of a fleet of the fixture `dead_machine`.
fn event(runtime: &str) -> String {
    format!("SELECT multica_set_runtime_offline({})", id(runtime))
}

/// A call that records one event after that one.
fn back(runtime: &str) -> String {
    format!("SELECT multica_heartbeat({})", id(runtime))
}

/// The sequence is set to what it was a while ago, as after rows that came without it.
const BEHIND: &str = "SELECT setval('multica_event_log_id_seq', 1)";

/// Whether the newest event has an id that begins anew: later than any that is counted, and exact in a double.
const LEAPT: &str = "SELECT max(id) > (1::bigint << 50) AND max(id) < (1::bigint << 53) FROM multica_event_log";

/// Three events, with ids from 1 on.
fn three_events(client: &mut Client) -> Result<()> {
    for call in [event("b1"), event("b2"), back("b1")] {
        client.batch_execute(&call)?;
    }
    let ids = value(client, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM multica_events()")?;
    anyhow::ensure!(ids == "1 2 3", "recorded {ids}");
    Ok(())
}

//! What is not part of the rows of tables: sequences, counters, positions, and the objects that install makes.

mod counters;
mod ids;
mod objects;
mod replicated;
mod restored;

use anyhow::Result;
use postgres::Client;

use super::Suite;
use super::support::{id, value};

/// Dumps, replication, copies of a cluster, and the catalogue.
pub const ALL: &[(&str, Suite)] = suite![
    restored::restored_log_starts_new_id_range,
    restored::restore_over_own_database_starts_new_id_range,
    restored::data_only_restore_meets_no_conflicting_row,
    restored::template_copy_starts_new_id_range,
    restored::promoted_standby_starts_new_id_range,
    replicated::subscriber_replaces_publisher,
    objects::calls_work_after_documented_move,
    objects::install_uses_tables_moved_to_another_schema,
    objects::install_repairs_its_objects,
    objects::install_keeps_changes_of_users,
];

/// Ids and counters that differ from the rows.
pub const AT_HOME: &[(&str, Suite)] = suite![
    ids::sequence_behind_rows_starts_new_id_range,
    ids::exhausted_sequence_is_a_table_conflict,
    ids::two_sessions_start_one_new_id_range,
    ids::rolled_back_repair_leaves_no_unreported_gap,
    ids::position_beyond_the_last_id_is_an_error,
    ids::position_in_emptied_log_is_an_error,
    ids::position_in_recreated_log_is_an_error,
    ids::daemon_can_record_when_sequence_is_behind_rows,
    counters::issue_counter_skips_imported_numbers,
    counters::wrong_counter_of_adopted_database_is_reported,
    counters::totals_work_with_rows_ahead_of_sequence,
];

/// A call that records one event, on the fixture `dead_machine`.
fn set_offline(runtime: &str) -> String {
    format!("SELECT multica_set_runtime_offline({})", id(runtime))
}

/// A call that records one event after the runtime was set offline.
fn send_heartbeat(runtime: &str) -> String {
    format!("SELECT multica_heartbeat({})", id(runtime))
}

/// Sets the sequence back to an older value, as if rows were inserted without it.
const SET_SEQUENCE_BACK: &str = "SELECT setval('multica_event_log_id_seq', 1)";

/// Whether the newest event has an id of a new range, which is above any counted id and exact as a double.
const IN_NEW_RANGE: &str = "SELECT max(id) > (1::bigint << 50) AND max(id) < (1::bigint << 53) FROM multica_event_log";

/// Records three events, with ids from 1 on.
fn three_events(client: &mut Client) -> Result<()> {
    for call in [set_offline("b1"), set_offline("b2"), send_heartbeat("b1")] {
        client.batch_execute(&call)?;
    }
    let ids = value(client, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM multica_events()")?;
    anyhow::ensure!(ids == "1 2 3", "recorded {ids}");
    Ok(())
}

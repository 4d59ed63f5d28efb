//! The sweep in the tables of a server that can keep heartbeats in Redis: two clocks, gated time-outs, tasks that wait
//! for too long, and what the server left undone. Each case runs on every generation that has its features.

mod beside_server;
mod clocks;
mod finish;
mod guard;
mod waiting;

use anyhow::Result;
use postgres::Client;

use super::Suite;
use super::support::expect;

/// The cases.
pub const ALL: &[(&str, Suite)] = suite![
    clocks::runtime_is_stale_after_150_seconds,
    clocks::work_of_offline_runtime_is_failed_after_grace,
    clocks::dispatched_task_with_lease_is_left,
    clocks::dispatched_task_of_silent_runtime_is_left,
    clocks::running_task_of_alive_runtime_is_left,
    clocks::waiting_task_is_failed_with_its_runtime_only,
    clocks::last_failure_resets_an_issue_in_progress,
    clocks::task_of_offline_runtime_does_not_time_out_beside_full_batch,
    clocks::own_tables_keep_their_thresholds,
    clocks::short_threshold_is_reported,
    clocks::heartbeat_of_server_wins_against_sweep,
    waiting::task_expires_in_queue,
    waiting::task_that_could_not_run_stays_queued,
    waiting::retry_of_gone_runtime_expires,
    waiting::waiting_task_follows_its_agent,
    waiting::stage_without_index_is_off,
    finish::lost_retry_is_queued_once,
    finish::issue_and_run_left_behind_are_settled,
    finish::work_that_goes_on_is_left,
    finish::position_moves_past_ended_tasks,
    beside_server::both_offline_stages_fail_each_task_once,
    beside_server::retry_of_the_server_is_not_repeated,
    guard::silence_of_all_runtimes_is_held_for_one_threshold,
    guard::start_of_server_is_held_for_one_threshold,
    guard::promotion_is_noticed_without_preloading,
    guard::one_machine_among_others_gets_its_verdict_at_once,
    guard::heartbeat_in_the_future_is_found_beside_guard,
    guard::idle_sweep_reads_runtimes_once,
];

/// The id of a row of the fixtures, as an SQL expression.
fn id(label: &str) -> String {
    format!("md5('{label}')::uuid")
}

/// Sets a runtime of the fixtures: its status, and how long it was silent.
fn silence(client: &mut Client, runtime: &str, status: &str, silent: &str) -> Result<()> {
    Ok(client.batch_execute(&format!(
        "UPDATE agent_runtime
         SET status = '{status}', last_seen_at = now() - interval '{silent}', updated_at = now() - interval '9 days'
         WHERE id = {}",
        id(&format!("runtime {runtime}"))
    ))?)
}

fn sweep(client: &mut Client) -> Result<()> {
    Ok(client.batch_execute("SELECT FROM multica_sweep()")?)
}

/// Fails unless the task of the fixtures has this status, reason and error.
fn expect_task(client: &mut Client, task: &str, expected: &str) -> Result<()> {
    let query = format!(
        "SELECT concat_ws(' ', status, failure_reason, '/' || error) FROM agent_task_queue WHERE id = {}",
        id(&format!("task {task}"))
    );
    expect(client, &query, expected)
}

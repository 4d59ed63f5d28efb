//! Lookups of tasks: lists and their order, and counts by status.

use anyhow::Result;

use super::Suite;
use super::support::{expect, id, team};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] =
    suite![lists_return_newest_first, active_pending_and_running_are_distinct, unknown_status_is_only_active,];

/// Lists are ordered by created_at, then by id, and not by priority, status or order of insertion.
fn lists_return_newest_first(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e2'), task('e4', status => 'dispatched'), task('e1', agent => 'c2', status => 'running'),
             task('e3', agent => 'c2'), task('e5', runtime => 'b2');
         UPDATE agent_task_queue SET created_at = now() - interval '1 hour' WHERE agent_id = {ada};
         UPDATE agent_task_queue SET created_at = now(), priority = 4 WHERE id = {e2};
         UPDATE agent_task_queue SET priority = 9 WHERE id = {e4};
         UPDATE agent_task_queue SET created_at = now() - interval '30 minutes' WHERE id = {e3}",
        ada = id("c1"),
        e2 = id("e2"),
        e3 = id("e3"),
        e4 = id("e4"),
    ))?;
    let labels = |call: String| format!("SELECT string_agg(right(id::text, 2), ' ') FROM {call}");
    let pending = labels(format!("multica_list_pending_tasks({})", id("b1")));
    expect(&mut client, &pending, "e2 e3 e4")?;
    let of_agent = |most: &str| labels(format!("multica_list_agent_tasks({}{most})", id("c1")));
    expect(&mut client, &of_agent(""), "e2 e5 e4")?;
    expect(&mut client, &of_agent(", 2"), "e2 e5")?;
    expect(&mut client, &of_agent(", NULL"), "e2 e5 e4")?;
    expect(&mut client, &of_agent(", 0"), "")?;
    client.batch_execute(&format!("UPDATE agent_task_queue SET status = 'completed', issue_id = {}", id("d1")))?;
    let of_issue = labels(format!("multica_list_issue_tasks({}, 4)", id("d1")));
    expect(&mut client, &of_issue, "e2 e1 e3 e5")
}

/// Active, pending and running tasks, per issue and per agent; multica_count_running_tasks counts tasks in flight.
fn active_pending_and_running_are_distinct(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!("SELECT task('e1'); UPDATE agent_task_queue SET issue_id = {}", id("d1")))?;
    let answers = format!(
        "SELECT multica_has_active_task({d1}), multica_has_pending_task({d1}), multica_has_pending_task({d1}, {c1}),
             multica_has_pending_task({d1}, {c2}), multica_count_running_tasks({c1})",
        d1 = id("d1"),
        c1 = id("c1"),
        c2 = id("c2"),
    );
    for (status, expected) in [
        ("queued", "t t t f 0"),
        ("dispatched", "t t t f 1"),
        ("running", "t f f f 1"),
        ("completed", "f f f f 0"),
        ("failed", "f f f f 0"),
        ("cancelled", "f f f f 0"),
    ] {
        client.batch_execute(&format!("UPDATE agent_task_queue SET status = '{status}'"))?;
        expect(&mut client, &answers, expected)?;
    }
    client.batch_execute("UPDATE agent_task_queue SET status = 'running'")?;
    let of_others = format!("SELECT multica_has_active_task({}), multica_count_running_tasks({})", id("d2"), id("c2"));
    expect(&mut client, &of_others, "f 0")
}

/// A later server may have a status that this version does not know. A task with that status is active, but neither
/// pending nor in flight.
fn unknown_status_is_only_active(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "ALTER TABLE agent_task_queue DROP CONSTRAINT agent_task_queue_status_check;
         SELECT task('e1', status => 'paused'); UPDATE agent_task_queue SET issue_id = {}",
        id("d1")
    ))?;
    let answers = format!(
        "SELECT multica_has_active_task({d1}), multica_has_pending_task({d1}), multica_count_running_tasks({c1})",
        d1 = id("d1"),
        c1 = id("c1"),
    );
    expect(&mut client, &answers, "t f 0")
}

//! Intended differences from the server: each test fails if its difference is removed.

use anyhow::{Result, ensure};

use super::Suite;
use super::support::{dead_machine, expect, id, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    sweep_fails_tasks_of_runtimes_already_offline,
    offline_grace_delays_failure_of_tasks,
    issue_reset_does_not_depend_on_row_order,
    archived_agent_gets_no_retry,
    history_survives_collection,
    history_survives_runtime_deletion,
    agent_is_written_only_when_status_changes,
    issue_reset_is_published,
    retry_is_published_as_queued,
    return_online_is_published_once,
];

/// The tasks of a deregistered runtime are failed although no runtime goes stale in this sweep (W1).
fn sweep_fails_tasks_of_runtimes_already_offline(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!("SELECT multica_deregister(ARRAY[{}]::uuid[])", id("b1")))?;
    expect(&mut client, "SELECT runtimes_offline, tasks_failed, more FROM multica_sweep()", "0 10 f")
}

/// The grace counts from the last heartbeat, and from `updated_at` for a runtime that never sent one.
fn offline_grace_delays_failure_of_tasks(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("SET multica.offline_grace = '30min'")?;
    expect(&mut client, "SELECT runtimes_offline, tasks_failed FROM multica_sweep()", "1 1")?;
    expect(&mut client, "SELECT right(id::text, 2) FROM agent_task_queue WHERE status = 'failed'", "e8")?;
    let count = "SELECT count(*) FROM multica_fail_tasks_for_offline_runtimes";
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET last_seen_at = NULL, updated_at = now() WHERE id = {}",
        id("b1")
    ))?;
    expect(&mut client, &format!("{count}(1)"), "0")?;
    expect(&mut client, &format!("{count}()"), "0")?;
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET updated_at = now() - interval '1 hour' WHERE id = {}",
        id("b1")
    ))?;
    expect(&mut client, &format!("{count}(max_tasks => 2)"), "2")?;
    expect(&mut client, &format!("{count}(0)"), "7")
}

/// Two tasks on one issue fail together, and one task is at its last attempt. In either order of the rows the retry of
/// the other task keeps the issue in progress.
fn issue_reset_does_not_depend_on_row_order(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    for (title, first, second) in [("spent first", 1, 2), ("spent last", 2, 1)] {
        client.batch_execute(&format!(
            "INSERT INTO issue (workspace_id, title, status, creator_type, creator_id)
             VALUES ({workspace}, '{title}', 'in_progress', 'member', {user});
             INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, dispatched_at, started_at, max_attempts)
             SELECT a.id, a.runtime_id, i.id, 'running', now() - interval '1 hour' + at * interval '1 second', now(), most
             FROM issue AS i, (VALUES (1, 'Ada', {first}), (2, 'Cy', {second})) AS g (at, name, most)
             JOIN agent AS a USING (name)
             WHERE i.title = '{title}'",
            workspace = id("a1"),
            user = id("f1"),
        ))?;
    }
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    expect(
        &mut client,
        "SELECT i.title, i.status, count(*) FILTER (WHERE t.status = 'queued')
         FROM issue AS i JOIN agent_task_queue AS t ON t.issue_id = i.id
         WHERE i.title LIKE 'spent%' GROUP BY 1, 2 ORDER BY 1",
        "spent first in_progress 1\nspent last in_progress 1",
    )
}

fn archived_agent_gets_no_retry(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    expect(
        &mut client,
        "SELECT a.name, t.status, i.status, count(*)
         FROM agent_task_queue AS t JOIN agent AS a ON a.id = t.agent_id JOIN issue AS i ON i.id = t.issue_id
         WHERE a.archived_at IS NOT NULL GROUP BY 1, 2, 3",
        "Archie failed todo 1",
    )
}

/// Tasks of an agent that was bound to another runtime are moved there before its old runtime is deleted, by the sweep
/// and by the call, and in several batches if the batch size is small.
fn history_survives_collection(context: &Context) -> Result<()> {
    for collect in [
        "SELECT runtimes_deleted FROM multica_sweep()",
        "SELECT count(*) FROM multica_delete_stale_offline_runtimes(604800)",
    ] {
        let (_database, mut client) = dead_machine(context)?;
        client.batch_execute(&format!(
            "UPDATE agent SET runtime_id = {new} WHERE runtime_id = {old};
             UPDATE agent_task_queue SET status = 'completed', completed_at = now() WHERE runtime_id = {old};
             UPDATE agent_runtime SET last_seen_at = now() - interval '8 days' WHERE id = {old};
             SET multica.batch_size = 1",
            new = id("b2"),
            old = id("b3"),
        ))?;
        let all = "SELECT count(*) FROM agent_task_queue WHERE parent_task_id IS NULL";
        let before = value(&mut client, all)?;
        let mut deleted = 0;
        for _pass in 0..3 {
            deleted += value(&mut client, collect)?.parse::<i32>()?;
        }
        ensure!(deleted == 1, "{collect}: {deleted} runtimes deleted");
        expect(&mut client, all, &before)?;
        expect(
            &mut client,
            "SELECT t.status, r.daemon_id FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
             WHERE right(t.id::text, 2) IN ('e8', 'ec')",
            "completed machine-2\ncompleted machine-2",
        )?;
    }
    Ok(())
}

/// The history of agents that are bound to another runtime moves there, without its sessions, which existed on the old
/// daemon only; tasks in flight are failed with all consequences.
fn history_survives_runtime_deletion(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!("UPDATE agent SET runtime_id = {} WHERE runtime_id = {}", id("b2"), id("b3")))?;
    expect(&mut client, &format!("SELECT * FROM multica_delete_runtime({})", id("b3")), "0 0 2 0 0")?;
    expect(
        &mut client,
        &format!(
            "SELECT COALESCE(right(t.parent_task_id::text, 2), 'first'), t.status, t.session_id IS NULL, r.daemon_id
             FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
             WHERE {e8} IN (t.id, t.parent_task_id) OR t.id = {ec} ORDER BY 1, 2",
            e8 = id("e8"),
            ec = id("ec"),
        ),
        "e8 queued t machine-2\nfirst completed t machine-2\nfirst failed t machine-2",
    )
}

/// An agent that still has a task in flight on another runtime is not written and has no event; an agent that becomes
/// idle is written once and has one event.
fn agent_is_written_only_when_status_changes(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "INSERT INTO agent_task_queue (agent_id, runtime_id, status, dispatched_at, started_at)
         VALUES ({cy}, {alive}, 'running', now(), now())",
        cy = id("c3"),
        alive = id("b2"),
    ))?;
    let cy = format!("SELECT xmin, updated_at FROM agent WHERE id = {}", id("c3"));
    let before = value(&mut client, &cy)?;
    client.batch_execute("SELECT * FROM multica_sweep(); SELECT * FROM multica_sweep()")?;
    expect(&mut client, &cy, &before)?;
    expect(
        &mut client,
        "SELECT payload -> 'agent' ->> 'name', payload -> 'agent' ->> 'status', count(*)
         FROM multica_event_log WHERE type = 'agent:status' GROUP BY 1, 2 ORDER BY 1",
        "Ada idle 1\nArchie idle 1",
    )
}

fn issue_reset_is_published(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    expect(
        &mut client,
        "SELECT payload -> 'issue' ->> 'title', payload -> 'issue' ->> 'status', payload ->> 'prev_status',
                payload ->> 'status_changed', workspace_id = (SELECT id FROM workspace)
         FROM multica_event_log WHERE type = 'issue:updated' ORDER BY 1",
        "cleanup todo in_progress true t\ndocs todo in_progress true t",
    )
}

/// The event of the queued retry comes after the event of the failure, which names the retry.
fn retry_is_published_as_queued(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    expect(
        &mut client,
        "SELECT right(q.payload ->> 'parent_task_id', 2), q.payload ->> 'status', q.payload ->> 'attempt',
                q.payload ->> 'task_id' = f.payload ->> 'retry_task_id', q.id > f.id, f.payload ->> 'failure_reason',
                q.payload ->> 'sweep_id' = f.payload ->> 'sweep_id'
         FROM multica_event_log AS q
         JOIN multica_event_log AS f ON f.payload ->> 'task_id' = q.payload ->> 'parent_task_id'
         WHERE q.type = 'task:queued' AND f.type = 'task:failed' ORDER BY 1",
        "e1 queued 2 t t runtime_offline t\ne6 queued 2 t t runtime_offline t\n\
         e8 queued 2 t t runtime_offline t\ne9 queued 2 t t runtime_offline t",
    )
}

/// A heartbeat that sets a runtime online records an event; the heartbeats before and after it record none.
fn return_online_is_published_once(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    let heartbeats = format!(
        "SELECT * FROM multica_heartbeat({alive}); SELECT * FROM multica_heartbeat({gone});
         SELECT * FROM multica_heartbeat({gone}); SELECT multica_heartbeat_many(ARRAY[{alive}, {gone}]::uuid[])",
        alive = id("b2"),
        gone = id("b3"),
    );
    client.batch_execute(&heartbeats)?;
    expect(
        &mut client,
        "SELECT type, payload ->> 'action', right(payload -> 'runtime_ids' ->> 0, 2) FROM multica_event_log",
        "daemon:register online b3",
    )
}

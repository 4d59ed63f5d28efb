//! Deferred tasks: when they are queued, and when newer work replaces them.

use anyhow::Result;
use postgres::Client;

use super::Suite;
use super::cases::{on_databases, on_generations};
use super::server_consequences::insert_work;
use super::support::{expect, id, start, team, values};
use crate::context::Context;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    due_task_is_queued_by_a_sweep,
    one_task_of_a_pair_is_queued,
    silent_runtime_keeps_its_deferred_tasks,
    rerun_replaces_deferred_retry,
    escalation_is_not_replaced,
    taken_slot_keeps_a_task_deferred,
    uncommitted_task_of_the_pair_is_not_waited_for,
    claim_queues_due_tasks_first,
    claim_cancels_superseded_retry,
];

/// Inserts a deferred task of the pair, due `since` seconds ago, with these further values.
fn defer(client: &mut Client, label: &str, since: i32, more: &str) -> Result<()> {
    client.batch_execute(&format!(
        "INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, created_at, fire_at)
         VALUES (md5('{label}')::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid, 'deferred',
             now() - interval '1 hour', now() - interval '{since} seconds');
         UPDATE agent_task_queue SET id = id {more} WHERE id = md5('{label}')::uuid"
    ))?;
    Ok(())
}

/// Removes every other deferred task, and the running one of the pair.
fn clear(context: &Context, client: &mut Client) -> Result<()> {
    insert_work(context, client)?;
    client.batch_execute(
        "DELETE FROM agent_task_queue WHERE status = 'deferred';
         UPDATE agent_task_queue SET status = 'completed', completed_at = now() - interval '30 minutes'
         WHERE id = md5('task x')::uuid",
    )?;
    Ok(())
}

/// Sweeps without another effect on these tasks.
const SWEEP: &str = "UPDATE agent_runtime SET last_seen_at = now() WHERE status = 'online'; SELECT multica_sweep()";

fn status(label: &str) -> String {
    format!("SELECT status, completed_at IS NOT NULL FROM agent_task_queue WHERE id = md5('{label}')::uuid")
}

fn events(label: &str) -> String {
    format!("SELECT type FROM multica_event_log WHERE payload ->> 'task_id' = md5('{label}')::uuid::text")
}

fn due_task_is_queued_by_a_sweep(context: &Context) -> Result<()> {
    on_generations(context, &["deferred"], |client, _| {
        clear(context, client)?;
        defer(client, "due", 1, "")?;
        defer(client, "of a chat", 1, ", issue_id = NULL")?;
        defer(client, "later", -60, ", issue_id = md5('issue waits')::uuid")?;
        client.batch_execute(SWEEP)?;
        expect(client, &status("due"), "queued f")?;
        expect(client, &status("of a chat"), "queued f")?;
        expect(client, &status("later"), "deferred f")?;
        expect(client, &events("due"), "task:queued")?;
        expect(
            client,
            "SELECT created_at < now() - interval '59 minutes', fire_at < now() FROM agent_task_queue WHERE id = md5('due')::uuid",
            "t t",
        )
    })
}

fn one_task_of_a_pair_is_queued(context: &Context) -> Result<()> {
    on_generations(context, &["deferred"], |client, _| {
        clear(context, client)?;
        defer(client, "older", 9, ", created_at = now() - interval '2 hours'")?;
        defer(client, "better", 1, ", priority = 5")?;
        client.batch_execute(SWEEP)?;
        expect(client, &status("better"), "queued f")?;
        expect(client, &status("older"), "deferred f")
    })
}

fn silent_runtime_keeps_its_deferred_tasks(context: &Context) -> Result<()> {
    on_generations(context, &["deferred"], |client, _| {
        clear(context, client)?;
        defer(client, "due", 1, "")?;
        for silent in ["status = 'offline'", "status = 'online', last_seen_at = NULL"] {
            client.batch_execute(&format!(
                "UPDATE agent_runtime SET {silent} WHERE id = md5('runtime x')::uuid; SELECT multica_sweep()"
            ))?;
            expect(client, &status("due"), "deferred f")?;
        }
        client.batch_execute(
            "UPDATE agent_runtime SET status = 'online', last_seen_at = now() WHERE id = md5('runtime x')::uuid;
             SELECT multica_sweep()",
        )?;
        expect(client, &status("due"), "queued f")
    })
}

/// The column that makes a deferred task a retry.
fn as_retry(client: &mut Client) -> Result<String> {
    let features = values(client, "SELECT unnest(features) FROM multica_status()")?;
    let is_there = features.iter().any(|name| name == "provenance");
    let more = if is_there { ", retry_of_task_id = md5('task x')::uuid" } else { "" };
    Ok(format!(", parent_task_id = md5('task x')::uuid{more}"))
}

fn rerun_replaces_deferred_retry(context: &Context) -> Result<()> {
    on_generations(context, &["deferred"], |client, _| {
        clear(context, client)?;
        let retry = as_retry(client)?;
        for (label, since) in [("due", 1), ("not due", -60)] {
            client.batch_execute("DELETE FROM agent_task_queue WHERE id = md5('rerun')::uuid")?;
            defer(client, label, since, &retry)?;
            defer(client, "rerun", 1, ", status = 'queued', fire_at = NULL")?;
            client.batch_execute(SWEEP)?;
            expect(client, &status(label), "cancelled t")?;
            expect(client, &events(label), "task:cancelled")?;
            expect(client, &status("rerun"), "queued f")?;
        }
        Ok(())
    })
}

fn escalation_is_not_replaced(context: &Context) -> Result<()> {
    on_generations(context, &["deferred", "escalation"], |client, _| {
        clear(context, client)?;
        let retry = as_retry(client)?;
        defer(client, "escalation", 1, &format!("{retry}, escalation_for_task_id = md5('task x')::uuid"))?;
        defer(client, "rerun", 1, ", status = 'queued', fire_at = NULL")?;
        client.batch_execute(SWEEP)?;
        expect(client, &status("escalation"), "deferred f")
    })
}

fn taken_slot_keeps_a_task_deferred(context: &Context) -> Result<()> {
    on_generations(context, &["deferred", "slot_of_media"], |client, _| {
        clear(context, client)?;
        defer(client, "due", 1, "")?;
        defer(client, "media", -60, r#", context = '{"channel_issue_media_pending": "true"}'"#)?;
        client.batch_execute(SWEEP)?;
        expect(client, &status("due"), "deferred f")?;
        // The task that has the slot keeps it when it is due.
        client.batch_execute("UPDATE agent_task_queue SET fire_at = now() WHERE id = md5('media')::uuid")?;
        client.batch_execute(SWEEP)?;
        expect(client, &status("media"), "queued f")
    })
}

/// Neither the server's enqueue nor its own promotion, both not committed, stops a sweep or makes it fail.
fn uncommitted_task_of_the_pair_is_not_waited_for(context: &Context) -> Result<()> {
    on_databases(context, &["deferred"], |database, client| {
        clear(context, client)?;
        defer(client, "due", 1, "")?;
        defer(client, "other", 1, ", priority = -1")?;
        client.batch_execute("SET lock_timeout = '2s'")?;
        for server_does in [
            "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id)
             VALUES (md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid)",
            "UPDATE agent_task_queue SET status = 'queued' WHERE id = md5('other')::uuid",
        ] {
            let mut server = database.connect()?;
            server.batch_execute(&format!("BEGIN; {server_does}"))?;
            client.batch_execute(SWEEP)?;
            expect(client, &status("due"), "deferred f")?;
            server.batch_execute("ROLLBACK")?;
        }
        // The other way round: the server meets the pending task and inserts none.
        client.batch_execute(&format!("BEGIN; {SWEEP}"))?;
        let insert = start(
            database,
            "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id)
             VALUES (md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid)
             ON CONFLICT (issue_id, agent_id) WHERE status IN ('queued', 'dispatched') DO NOTHING",
        )?;
        let mut observer = database.connect()?;
        insert.wait_until_blocked(&mut observer)?;
        client.batch_execute("COMMIT")?;
        insert.finish()?;
        expect(
            client,
            "SELECT count(*) FROM agent_task_queue WHERE issue_id = md5('issue x')::uuid AND status = 'queued'",
            "1",
        )?;
        Ok(())
    })
}

/// Inserts deferred tasks of issue d1, into tables that install made.
fn defer_here(client: &mut Client, label: &str, since: i32, more: &str) -> Result<()> {
    client.batch_execute(&format!(
        "SELECT task('{label}', status => 'deferred');
         UPDATE agent_task_queue SET issue_id = {}, fire_at = now() - interval '{since} seconds' {more} WHERE id = {}",
        id("d1"),
        id(label)
    ))?;
    Ok(())
}

fn claim_queues_due_tasks_first(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let claim = format!("SELECT right(id::text, 2) FROM multica_claim({}, 5)", id("b1"));
    defer_here(&mut client, "e1", 1, "")?;
    defer_here(&mut client, "e2", -60, "")?;
    expect(&mut client, &claim, "e1")?;
    expect(&mut client, &claim, "")?;
    let types = "SELECT type FROM multica_event_log WHERE payload ? 'task_id' ORDER BY id";
    expect(&mut client, types, "task:queued\ntask:dispatch")?;
    // A claim that sets its runtime online is a sign of life.
    client.batch_execute(&format!(
        "DELETE FROM agent_task_queue WHERE id = {}; UPDATE agent_task_queue SET fire_at = now();
         UPDATE agent_runtime SET status = 'offline'",
        id("e1")
    ))?;
    expect(&mut client, &claim, "e2")
}

fn claim_cancels_superseded_retry(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'failed'), task('e3'); UPDATE agent_task_queue SET issue_id = {}",
        id("d1")
    ))?;
    defer_here(&mut client, "e2", -60, &format!(", parent_task_id = {0}, retry_of_task_id = {0}", id("e1")))?;
    expect(&mut client, &format!("SELECT right(id::text, 2) FROM multica_claim({})", id("b1")), "e3")?;
    let query = format!("SELECT status, completed_at IS NOT NULL FROM agent_task_queue WHERE id = {}", id("e2"));
    expect(&mut client, &query, "cancelled t")?;
    let types = "SELECT type FROM multica_event_log WHERE payload ? 'task_id' ORDER BY id";
    expect(&mut client, types, "task:cancelled\ntask:dispatch")
}

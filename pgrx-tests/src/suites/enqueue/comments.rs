//! Comments for an agent that already has a task on the issue: none is lost, and the result says what became of it.

use anyhow::Result;
use postgres::Client;

use super::{enqueue, expect_outcome, expect_task, has, md5, set_status};
use crate::context::Context;
use crate::suites::cases::on_all_tables;
use crate::suites::support::{expect, value};

/// The features with which comments join tasks.
const JOINS: [&str; 2] = ["coalesced", "deferred"];

/// The trigger of a task and the other comments that it answers, as numbers of the fixture.
const PLAN: &str = "(SELECT n FROM generate_series(1, 5) AS n WHERE md5('comment ' || n)::uuid = trigger_comment_id),
    ARRAY(SELECT n FROM unnest(coalesced_comment_ids) WITH ORDINALITY AS c (id, at), generate_series(1, 5) AS n
          WHERE md5('comment ' || n)::uuid = c.id ORDER BY c.at)";

fn with_comment(number: i32, more: &str) -> String {
    format!("multica_enqueue_issue({}, {}{more})", md5("issue e"), md5(&format!("comment {number}")))
}

pub fn comment_joins_a_waiting_task(context: &Context) -> Result<()> {
    on_all_tables(context, &JOINS, "enqueue", |_, client, _| {
        let task =
            expect_outcome(client, &format!("multica_enqueue_issue({}, priority => 1)", md5("issue e")), "queued")?;
        expect_outcome(client, &with_comment(1, r#", context => '{"head_sha": "1", "kept": 1}'"#), "merged")?;
        expect_task(client, &task, PLAN, "1 {}")?;
        expect_outcome(client, &with_comment(2, r#", priority => 4, context => '{"head_sha": "2"}'"#), "merged")?;
        let last = expect_outcome(client, &with_comment(3, ""), "merged")?;
        anyhow::ensure!(last == task, "the comment joined another task");
        expect_task(client, &task, PLAN, "3 {1,2}")?;
        expect_task(
            client,
            &task,
            "status, priority, trigger_summary LIKE 'Comment 3.%', length(trigger_summary), context",
            r#"queued 1 t 200 {"kept": 1, "head_sha": "2"}"#,
        )?;
        // Without a comment the pending task is returned as it is.
        expect_outcome(client, &format!("multica_enqueue_issue({})", md5("issue e")), "pending")?;
        expect_task(client, &task, PLAN, "3 {1,2}")?;
        expect(
            client,
            &format!("SELECT type FROM multica_event_log WHERE payload ->> 'task_id' = '{task}'"),
            "task:queued",
        )?;
        // The task moves with its agent.
        client.batch_execute(&format!(
            "UPDATE agent SET runtime_id = {} WHERE id = {}",
            md5("runtime f"),
            md5("agent e")
        ))?;
        expect_outcome(client, &with_comment(4, ""), "merged")?;
        expect_task(client, &task, &format!("runtime_id = {}", md5("runtime f")), "t")
    })
}

/// The new comment is answered in the name of its own user, or of the owner of the agent, and without what the server
/// prepared for the former one.
pub fn joined_task_acts_for_the_new_user(context: &Context) -> Result<()> {
    on_all_tables(context, &["coalesced", "deferred", "originator"], "enqueue", |_, client, features| {
        let of = |user: &str| format!(", provenance => jsonb_build_object('originator_user_id', md5('user {user}'))");
        let task = enqueue(client, &with_comment(1, &of("e")))?;
        let overlay = has(features, "overlay") && has(features, "connected_apps");
        let secrets = "runtime_mcp_overlay = '{\"secret\": 1}', runtime_connected_apps = '[1]'";
        let kept = "num_nulls(runtime_mcp_overlay, runtime_connected_apps)";
        if overlay {
            client.batch_execute(&format!("UPDATE agent_task_queue SET {secrets} WHERE id = '{task}'"))?;
        }
        expect_outcome(client, &with_comment(2, &of("e")), "merged")?;
        if overlay {
            expect_task(client, &task, kept, "0")?;
        }
        expect_outcome(client, &with_comment(3, &of("f")), "merged")?;
        expect_task(client, &task, "originator_user_id = md5('user f')::uuid", "t")?;
        if overlay {
            expect_task(client, &task, kept, "2")?;
        }
        expect_outcome(client, &with_comment(4, ""), "merged")?;
        expect_task(client, &task, "originator_user_id IS NULL", "t")?;
        if has(features, "accountable") {
            expect_task(
                client,
                &task,
                "accountable_user_id = md5('user e')::uuid, originator_source",
                "t owner_fallback",
            )?;
        }
        Ok(())
    })
}

pub fn repeated_comment_changes_nothing(context: &Context) -> Result<()> {
    on_all_tables(context, &JOINS, "enqueue", |_, client, _| {
        let task = expect_outcome(client, &with_comment(1, ""), "queued")?;
        expect_outcome(client, &with_comment(2, ""), "merged")?;
        for status in ["queued", "dispatched"] {
            if status == "dispatched" {
                set_status(client, &task, status)?;
            }
            for number in [1, 2] {
                let same = expect_outcome(client, &with_comment(number, ""), "pending")?;
                anyhow::ensure!(same == task, "another task has comment {number}");
                expect_task(client, &task, PLAN, "2 {1}")?;
            }
        }
        Ok(())
    })
}

/// Queues the deferred tasks that are due.
fn promote(client: &mut Client) -> Result<()> {
    let sweep = "UPDATE agent_runtime SET last_seen_at = now() WHERE status = 'online'; SELECT multica_sweep()";
    Ok(client.batch_execute(sweep)?)
}

pub fn comment_beside_a_claimed_task_is_planned(context: &Context) -> Result<()> {
    on_all_tables(context, &JOINS, "enqueue", |_, client, _| {
        let claimed = enqueue(client, &with_comment(1, ""))?;
        set_status(client, &claimed, "dispatched")?;
        let planned = expect_outcome(client, &with_comment(2, ""), "planned")?;
        expect_task(client, &claimed, PLAN, "1 {}")?;
        expect_task(client, &planned, &format!("status, fire_at <= now(), {PLAN}"), "deferred t 2 {}")?;
        // Further comments join it, also when the other task has started.
        expect_outcome(client, &with_comment(3, ""), "merged")?;
        promote(client)?;
        expect_task(client, &planned, "status", "deferred")?;
        set_status(client, &claimed, "running")?;
        let joined = expect_outcome(client, &with_comment(4, ""), "merged")?;
        anyhow::ensure!(joined == planned, "the comment joined another task");
        promote(client)?;
        expect_task(client, &planned, &format!("status, {PLAN}"), "queued 4 {2,3}")?;
        expect(
            client,
            &format!("SELECT type FROM multica_event_log WHERE payload ->> 'task_id' = '{planned}'"),
            "task:queued",
        )
    })
}

pub fn comment_beside_a_running_task_is_queued(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        let running = enqueue(client, &with_comment(1, ""))?;
        set_status(client, &running, "running")?;
        let behind = expect_outcome(client, &with_comment(2, ""), "queued")?;
        let plan = if JOINS.iter().all(|it| has(features, it)) { "merged" } else { "pending" };
        expect_outcome(client, &with_comment(3, ""), plan)?;
        expect_task(client, &behind, "status", "queued")?;
        expect_task(client, &running, "trigger_comment_id = md5('comment 1')::uuid", "t")
    })
}

pub fn comment_joins_a_task_that_waits_for_media(context: &Context) -> Result<()> {
    on_all_tables(context, &["slot_of_media"], "enqueue", |_, client, _| {
        let task = enqueue(client, &with_comment(1, ""))?;
        client.batch_execute(&format!(
            r#"UPDATE agent_task_queue SET status = 'deferred', fire_at = now() + interval '1 minute',
                   context = '{{"channel_issue_media_pending": "true"}}' WHERE id = '{task}'"#
        ))?;
        expect_outcome(client, &format!("multica_enqueue_issue({})", md5("issue e")), "pending")?;
        let joined = expect_outcome(client, &with_comment(2, ", context => '{\"more\": 1}'"), "merged")?;
        anyhow::ensure!(joined == task, "the comment joined another task");
        let media = "context ->> 'channel_issue_media_pending'";
        expect_task(client, &task, &format!("status, {media}, {PLAN}"), "deferred true 2 {1}")
    })
}

/// A deferred retry is cancelled when newer work of its issue and agent comes, so that work answers its comments.
pub fn superseded_retry_leaves_its_comments(context: &Context) -> Result<()> {
    on_all_tables(context, &JOINS, "enqueue", |_, client, features| {
        let retry_of = if has(features, "provenance") { ", retry_of_task_id" } else { "" };
        let defer = |client: &mut Client, label: &str, trigger: &str, more: &str| -> Result<()> {
            let value = if retry_of.is_empty() { "" } else { ", md5('failed')::uuid" };
            Ok(client.batch_execute(&format!(
                "INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, attempt, parent_task_id, fire_at,
                     trigger_comment_id, coalesced_comment_ids{retry_of})
                 VALUES ({}, {}, {}, {}, 'deferred', 2, {}, now() + interval '1 hour', {trigger}{more}{value})",
                md5(label), md5("agent e"), md5("runtime e"), md5("issue e"), md5("failed"),
            ))?)
        };
        client.batch_execute(&format!(
            "INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, completed_at)
             VALUES ({}, {}, {}, {}, 'failed', now())",
            md5("failed"),
            md5("agent e"),
            md5("runtime e"),
            md5("issue e"),
        ))?;
        // One of the comments has been deleted.
        defer(client, "retry", &md5("comment 2"), &format!(", ARRAY[{}, {}]", md5("comment 1"), md5("gone")))?;
        let task = expect_outcome(client, &with_comment(3, ""), "queued")?;
        expect_task(client, &task, PLAN, "3 {1,2}")?;
        promote(client)?;
        expect(client, "SELECT status FROM agent_task_queue WHERE id = md5('retry')::uuid", "cancelled")?;
        // Without a comment of its own, the newest one is the trigger.
        set_status(client, &task, "completed")?;
        defer(client, "second", &md5("comment 5"), &format!(", ARRAY[{}]", md5("comment 4")))?;
        let task = expect_outcome(client, &format!("multica_enqueue_issue({})", md5("issue e")), "queued")?;
        expect_task(client, &task, PLAN, "5 {4}")?;
        // A task that is deferred itself takes them over when it is queued.
        set_status(client, &task, "completed")?;
        client.batch_execute("DELETE FROM agent_task_queue WHERE id = md5('second')::uuid")?;
        defer(client, "third", &md5("comment 1"), ", '{}'")?;
        let later = enqueue(client, &with_comment(2, ", run_after => now() + interval '1 day'"))?;
        expect_task(client, &later, PLAN, "2 {}")?;
        let due = format!("UPDATE agent_task_queue SET fire_at = now() WHERE id = '{later}'");
        client.batch_execute(&due)?;
        promote(client)?;
        expect_task(client, &later, &format!("status, {PLAN}"), "queued 2 {1}")?;
        promote(client)?;
        expect(client, "SELECT status FROM agent_task_queue WHERE id = md5('third')::uuid", "cancelled")?;
        // A scheduled task without a comment keeps no trigger.
        set_status(client, &later, "completed")?;
        defer(client, "fourth", &md5("comment 4"), &format!(", ARRAY[{}]", md5("comment 3")))?;
        let scheduled = enqueue(
            client,
            &format!("multica_enqueue_issue({}, run_after => now() + interval '1 day')", md5("issue e")),
        )?;
        client.batch_execute(&format!("UPDATE agent_task_queue SET fire_at = now() WHERE id = '{scheduled}'"))?;
        promote(client)?;
        expect_task(client, &scheduled, &format!("status, {PLAN}"), "queued  {3,4}")
    })
}

/// The statement with which the server cancels the tasks of a comment that is edited or deleted.
pub fn deleted_comment_is_found_in_the_task_that_it_joined(context: &Context) -> Result<()> {
    on_all_tables(context, &JOINS, "enqueue", |_, client, _| {
        let task = enqueue(client, &with_comment(1, ""))?;
        enqueue(client, &with_comment(2, ""))?;
        for number in [3, 1] {
            let comment = md5(&format!("comment {number}"));
            client.batch_execute(&format!(
                "UPDATE agent_task_queue SET status = 'cancelled', completed_at = now()
                 WHERE (trigger_comment_id = {comment} OR {comment} = ANY (coalesced_comment_ids))
                   AND status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')"
            ))?;
            expect_task(client, &task, "status", if number == 1 { "cancelled" } else { "queued" })?;
        }
        // The comment that is left gets a task again.
        let again = expect_outcome(client, &with_comment(2, ""), "queued")?;
        expect_task(client, &again, PLAN, "2 {}")
    })
}

pub fn pending_task_keeps_its_comment_without_the_column(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        if has(features, "coalesced") {
            return Ok(());
        }
        let task = expect_outcome(client, &with_comment(1, ""), "queued")?;
        for status in ["queued", "dispatched"] {
            if status == "dispatched" {
                set_status(client, &task, status)?;
            }
            let same = expect_outcome(client, &with_comment(2, ", priority => 4"), "pending")?;
            anyhow::ensure!(same == task, "there is another task");
            expect_task(client, &task, "trigger_comment_id = md5('comment 1')::uuid, priority", "t 3")?;
        }
        set_status(client, &task, "running")?;
        expect_outcome(client, &with_comment(2, ""), "queued")?;
        expect(client, "SELECT count(*) FROM agent_task_queue WHERE issue_id = md5('issue e')::uuid", "2")?;
        value(client, "SELECT 1").map(drop)
    })
}

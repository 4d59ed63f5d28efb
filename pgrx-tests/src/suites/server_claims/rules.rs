//! Which tasks a claim returns, and what it writes.

use anyhow::Result;

use super::{OF_CHAT, OF_ISSUE, expect_claim, has, of_task, queue, rested};
use crate::context::Context;
use crate::suites::cases::on_generations;
use crate::suites::support::expect;

pub fn waiting_task_takes_a_place_and_deferred_task_does_not(context: &Context) -> Result<()> {
    on_generations(context, &["waiting", "deferred"], |client, _| {
        rested(context, client)?;
        client.batch_execute("UPDATE agent SET max_concurrent_tasks = 1 WHERE id = md5('agent x')::uuid")?;
        queue(client, "one", OF_ISSUE)?;
        queue(client, "two", ", status = 'waiting_local_directory', dispatched_at = now()")?;
        expect_claim(client, "")?;
        client.batch_execute(
            "UPDATE agent_task_queue SET status = 'deferred', fire_at = now() + interval '1 hour' WHERE id = md5('two')::uuid",
        )?;
        expect_claim(client, "one")
    })
}

/// A task without an issue, chat or run creates one. The server lets an agent create one after the other.
pub fn one_task_without_a_place_is_in_flight_per_agent(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        rested(context, client)?;
        queue(client, "one", "")?;
        queue(client, "two", ", priority = -1")?;
        queue(client, "three", &format!("{OF_ISSUE}, priority = -2"))?;
        if has(client, "redis_era")? {
            expect_claim(client, "one three")?;
            expect_claim(client, "")?;
            client.batch_execute(
                "UPDATE agent_task_queue SET status = 'completed', completed_at = now() WHERE id = md5('one')::uuid",
            )?;
            return expect_claim(client, "two");
        }
        expect_claim(client, "one two three")
    })
}

pub fn silent_runtime_is_revived_by_its_claim(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        rested(context, client)?;
        for (silent, label) in [("status = 'offline'", "one"), ("last_seen_at = now() - interval '1 day'", "two")] {
            queue(client, label, if label == "one" { OF_ISSUE } else { OF_CHAT })?;
            client.batch_execute(&format!("UPDATE agent_runtime SET {silent} WHERE id = md5('runtime x')::uuid"))?;
            expect_claim(client, label)?;
            let seen = "SELECT status, last_seen_at > now() - interval '1 minute' FROM agent_runtime WHERE id = md5('runtime x')::uuid";
            expect(client, seen, "online t")?;
        }
        Ok(())
    })
}

/// A claim is no sign of life of a daemon that is marked as unable to run anything. A heartbeat is one.
pub fn runtime_that_can_run_nothing_stays_offline(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        rested(context, client)?;
        queue(client, "one", OF_ISSUE)?;
        let seen = "SELECT status, last_seen_at < now() - interval '1 hour' FROM agent_runtime WHERE id = md5('runtime x')::uuid";
        for status in ["offline", "online"] {
            client.batch_execute(&format!(
                "UPDATE agent_runtime SET status = '{status}', last_seen_at = now() - interval '1 day',
                     metadata = metadata || '{{\"offline_reason\": {{\"code\": \"not_executable\"}}}}'
                 WHERE id = md5('runtime x')::uuid"
            ))?;
            expect_claim(client, "")?;
            expect(client, seen, &format!("{status} t"))?;
        }
        client.batch_execute(
            "UPDATE agent_runtime SET metadata = metadata || '{\"offline_reason\": {\"code\": \"stopped\"}}', status = 'offline'
             WHERE id = md5('runtime x')::uuid",
        )?;
        expect_claim(client, "one")?;
        queue(client, "two", OF_CHAT)?;
        client.batch_execute(
            "UPDATE agent_runtime SET metadata = metadata || '{\"offline_reason\": {\"code\": \"not_executable\"}}', status = 'offline'
             WHERE id = md5('runtime x')::uuid;
             SELECT FROM multica_heartbeat(md5('runtime x')::uuid)",
        )?;
        expect_claim(client, "two")
    })
}

pub fn claim_leases_the_task(context: &Context) -> Result<()> {
    on_generations(context, &["lease"], |client, _| {
        rested(context, client)?;
        let lease = of_task("one", "prepare_lease_expires_at - dispatched_at");
        queue(client, "one", OF_ISSUE)?;
        expect_claim(client, "one")?;
        expect(client, &lease, "00:00:45")?;
        client.batch_execute(
            "UPDATE agent_task_queue SET dispatched_at = now() - interval '95 seconds', prepare_lease_expires_at = now()
             WHERE id = md5('one')::uuid;
             SET multica.prepare_lease = '2min'",
        )?;
        expect_claim(client, "one")?;
        expect(client, &lease, "00:02:00")?;
        client.batch_execute(
            "UPDATE agent_task_queue SET dispatched_at = now() - interval '95 seconds', prepare_lease_expires_at = now()
             WHERE id = md5('one')::uuid;
             SET multica.prepare_lease = 0",
        )?;
        expect_claim(client, "one")?;
        expect(client, &lease, "")
    })
}

pub fn leased_task_is_not_redelivered(context: &Context) -> Result<()> {
    on_generations(context, &["lease"], |client, _| {
        rested(context, client)?;
        queue(client, "one", OF_ISSUE)?;
        expect_claim(client, "one")?;
        let age = |lease: &str, secs: i32| {
            format!(
                "UPDATE agent_task_queue SET dispatched_at = now() - interval '{secs} seconds', prepare_lease_expires_at = {lease}
                 WHERE id = md5('one')::uuid"
            )
        };
        for (lease, secs, is_redelivered) in [
            ("now() + interval '40 seconds'", 95, false),
            ("now() - interval '1 second'", 80, false),
            ("now() - interval '1 second'", 95, true),
            ("NULL", 95, true),
        ] {
            client.batch_execute(&age(lease, secs))?;
            expect_claim(client, if is_redelivered { "one" } else { "" })?;
        }
        expect(
            client,
            &of_task("one", "status, attempt, dispatched_at > now() - interval '30 seconds'"),
            "dispatched 1 t",
        )?;
        expect(
            client,
            "SELECT count(*) FROM multica_event_log
             WHERE type = 'task:dispatch' AND payload ->> 'task_id' = md5('one')::uuid::text",
            "1",
        )
    })
}

pub fn task_of_archived_agent_is_left(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        rested(context, client)?;
        queue(client, "one", OF_ISSUE)?;
        client.batch_execute("UPDATE agent SET archived_at = now() WHERE id = md5('agent x')::uuid")?;
        expect_claim(client, "")?;
        expect(client, &of_task("one", "status"), "queued")
    })
}

/// The context of a task that creates something names the workspace for which it does.
pub fn context_of_another_workspace_is_cancelled(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        rested(context, client)?;
        let of = |workspace: &str| format!(", context = jsonb_build_object('workspace_id', {workspace})");
        queue(client, "one", &format!("{}, priority = 2", of("md5('workspace 2')::uuid")))?;
        queue(client, "two", &format!("{}, priority = 1", of("upper(md5('workspace 1')::uuid::text)")))?;
        queue(client, "three", &format!("{}{OF_ISSUE}", of("'of the application'")))?;
        expect_claim(client, "two three")?;
        expect(client, &of_task("one", "status, completed_at IS NOT NULL"), "cancelled t")
    })
}

/// A claim does first what the server's claim does: it queues what is due, and cancels a retry that a newer task replaced.
pub fn due_task_is_queued_and_superseded_retry_is_cancelled(context: &Context) -> Result<()> {
    on_generations(context, &["deferred", "provenance"], |client, _| {
        rested(context, client)?;
        queue(client, "one", &format!("{OF_ISSUE}, status = 'deferred', fire_at = now() - interval '1 second'"))?;
        expect_claim(client, "one")?;
        let retry = "status = 'deferred', fire_at = now() + interval '1 hour', retry_of_task_id = md5('task x')::uuid";
        queue(client, "two", &format!("{OF_ISSUE}, {retry}"))?;
        expect_claim(client, "")?;
        expect(client, &of_task("two", "status, completed_at IS NOT NULL"), "cancelled t")?;
        let events = "SELECT type FROM multica_event_log WHERE type LIKE 'task:%' AND payload ->> 'task_id' IN
                      (md5('one')::uuid::text, md5('two')::uuid::text) ORDER BY id";
        expect(client, events, "task:queued\ntask:dispatch\ntask:cancelled")
    })
}

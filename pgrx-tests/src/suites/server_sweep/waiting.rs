//! Tasks that no daemon has yet.

use anyhow::{Result, ensure};
use postgres::Client;

use super::{expect_task, id, silence, sweep};
use crate::context::Context;
use crate::suites::cases::on_generations;
use crate::suites::support::{expect, value};

/// Whether the database has the indexes that the time limit of the queue needs. Generations before 231 lack one.
fn has_limit(client: &mut Client) -> Result<bool> {
    let off = value(
        client,
        "SELECT EXISTS (SELECT FROM unnest(stages_off) AS s WHERE s LIKE 'queued_ttl:%') FROM multica_status()",
    )?;
    Ok(off == "f")
}

/// A task of an agent of the runtime that sends heartbeats, which has nothing else to do, was queued this long ago.
fn queue(client: &mut Client, queued: &str) -> Result<()> {
    silence(client, "online", "online", "10 seconds")?;
    Ok(client.batch_execute(&format!(
        "INSERT INTO agent (id, workspace_id, name, runtime_mode, runtime_id, status, max_concurrent_tasks, owner_id)
         SELECT md5('agent idle')::uuid, workspace_id, 'idle', runtime_mode, runtime_id, 'idle', 2, owner_id
         FROM agent WHERE name = 'worker';
         INSERT INTO issue (id, workspace_id, title, status, assignee_type, assignee_id, creator_type, creator_id, number)
         SELECT md5('issue ' || n)::uuid, workspace_id, 'is old', 'in_progress', 'agent', id, 'member', owner_id, n
         FROM agent CROSS JOIN generate_series(901, 903) AS n WHERE id = md5('agent idle')::uuid;
         INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, created_at)
         SELECT md5('task old')::uuid, id, runtime_id, md5('issue 901')::uuid, 'queued', now() - interval '{queued}'
         FROM agent WHERE id = md5('agent idle')::uuid"
    ))?)
}

/// Inserts a task of the same agent, or changes it.
fn task(client: &mut Client, label: &str, issue: &str, status: &str, times: &str) -> Result<()> {
    Ok(client.batch_execute(&format!(
        "INSERT INTO agent_task_queue
             (id, agent_id, runtime_id, issue_id, status, created_at, dispatched_at, started_at, completed_at)
         SELECT {}, id, runtime_id, {}, '{status}', now() - interval '5 hours', {times}
         FROM agent WHERE id = md5('agent idle')::uuid
         ON CONFLICT (id) DO UPDATE
         SET status = EXCLUDED.status, dispatched_at = EXCLUDED.dispatched_at, started_at = EXCLUDED.started_at,
             completed_at = EXCLUDED.completed_at",
        id(&format!("task {label}")),
        id(&format!("issue {issue}"))
    ))?)
}

const EXPIRED: &str = "failed queued_expired /task expired in queue";
const RUNS: &str = "now() - interval '4 hours', now() - interval '4 hours', NULL";
const ENDED_NOW: &str = "now() - interval '4 hours', now() - interval '4 hours', now() - interval '1 minute'";
const ENDED_EARLIER: &str = "now() - interval '4 hours', now() - interval '4 hours', now() - interval '3 hours'";

/// Nothing was in front of the task for two hours.
pub fn task_expires_in_queue(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, generation| {
        queue(client, "1 hour 59 minutes")?;
        let has_limit = has_limit(client)?;
        ensure!(has_limit == (generation >= "231"), "the limit is off without the index of ended tasks");
        sweep(client)?;
        expect_task(client, "old", "queued")?;
        client.batch_execute(
            "UPDATE agent_task_queue SET created_at = now() - interval '2 hours 1 second' WHERE id = md5('task old')::uuid",
        )?;
        client.batch_execute("SET multica.queued_ttl = 0")?;
        sweep(client)?;
        expect_task(client, "old", "queued")?;
        client.batch_execute("RESET multica.queued_ttl")?;
        sweep(client)?;
        expect_task(client, "old", if has_limit { EXPIRED } else { "queued" })?;
        if has_limit {
            expect(client, "SELECT count(*) FROM agent_task_queue WHERE parent_task_id = md5('task old')::uuid", "0")?;
            expect(client, "SELECT status FROM issue WHERE id = md5('issue 901')::uuid", "todo")?;
            expect(
                client,
                "SELECT completed_at IS NOT NULL FROM agent_task_queue WHERE id = md5('task old')::uuid",
                "t",
            )?;
        }
        Ok(())
    })
}

/// The time limit begins when the task could run for the first time.
pub fn task_that_could_not_run_stays_queued(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        if !has_limit(client)? {
            return Ok(());
        }
        queue(client, "3 hours")?;
        let stays = |client: &mut Client, because: &str| -> Result<()> {
            sweep(client)?;
            let status = value(client, "SELECT status FROM agent_task_queue WHERE id = md5('task old')::uuid")?;
            ensure!(status == "queued", "expires although {because}");
            Ok(())
        };
        // Its own issue.
        task(client, "before", "901", "running", RUNS)?;
        stays(client, "a task of its issue runs")?;
        task(client, "before", "901", "completed", ENDED_NOW)?;
        stays(client, "a task of its issue has just ended")?;
        task(client, "before", "901", "completed", ENDED_EARLIER)?;
        // The places of its agent.
        task(client, "first", "902", "running", RUNS)?;
        task(client, "second", "903", "running", RUNS)?;
        stays(client, "its agent has no place")?;
        task(client, "second", "903", "cancelled", ENDED_NOW)?;
        stays(client, "its agent had no place a minute ago")?;
        task(client, "second", "903", "cancelled", ENDED_EARLIER)?;
        // Its runtime.
        silence(client, "online", "offline", "2 hours 30 minutes")?;
        stays(client, "its runtime is offline for less than the grace")?;
        silence(client, "online", "online", "5 seconds")?;
        client.batch_execute("UPDATE agent_runtime SET updated_at = now() WHERE id = md5('runtime online')::uuid")?;
        stays(client, "its runtime has just come back")?;
        silence(client, "online", "online", "5 seconds")?;
        // What it retries.
        client.batch_execute(
            "UPDATE agent_task_queue SET failure_reason = 'runtime_offline', status = 'failed' WHERE id = md5('task before')::uuid;
             UPDATE agent_task_queue SET parent_task_id = md5('task before')::uuid WHERE id = md5('task old')::uuid",
        )?;
        stays(client, "it waits for a runtime that was lost")?;
        client.batch_execute("UPDATE agent_task_queue SET parent_task_id = NULL WHERE id = md5('task old')::uuid")?;
        if value(client, "SELECT 'deferred' = ANY (features) FROM multica_status()")? == "t" {
            client.batch_execute(
                "UPDATE agent_task_queue SET fire_at = now() - interval '1 hour' WHERE id = md5('task old')::uuid",
            )?;
            stays(client, "it was promoted an hour ago")?;
            client.batch_execute("UPDATE agent_task_queue SET fire_at = NULL WHERE id = md5('task old')::uuid")?;
        }
        sweep(client)?;
        expect_task(client, "old", EXPIRED)
    })
}

/// A deferred retry waits three more hours for a runtime that is gone, and for ever for one that is alive.
pub fn retry_of_gone_runtime_expires(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era", "deferred"], |client, _| {
        client.batch_execute(
            "UPDATE agent_task_queue SET fire_at = now() - interval '3 hours 1 second'
             WHERE id IN (md5('task waits for its runtime')::uuid, md5('task is superseded')::uuid, md5('task is due')::uuid)",
        )?;
        sweep(client)?;
        let expired = "failed runtime_reconnect_timeout /runtime did not reconnect within the configured grace period";
        expect_task(client, "waits for its runtime", expired)?;
        expect(
            client,
            "SELECT count(*) FROM agent_task_queue WHERE parent_task_id = md5('task waits for its runtime')::uuid",
            "0",
        )?;
        // The runtime of the other two is alive, so one is cancelled, and the other one is queued. If their runtime is gone,
        // both expire, whatever the failure was.
        expect_task(client, "is superseded", "cancelled")?;
        client.batch_execute(
            "UPDATE agent_task_queue SET status = 'deferred', completed_at = NULL
             WHERE id IN (md5('task is superseded')::uuid, md5('task is due')::uuid)",
        )?;
        silence(client, "online", "offline", "4 hours")?;
        sweep(client)?;
        expect_task(client, "is superseded", expired)?;
        expect_task(client, "is due", expired)?;
        expect(client, "SELECT status FROM issue WHERE id = md5('issue waits for its runtime')::uuid", "todo")
    })
}

/// A task that waits on a runtime which is gone follows its agent, with its working directory and without its session.
pub fn waiting_task_follows_its_agent(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        let has_deferred = value(client, "SELECT 'deferred' = ANY (features) FROM multica_status()")? == "t";
        client.batch_execute(
            "UPDATE agent_task_queue SET session_id = 's', work_dir = '/w', created_at = now()
             WHERE status IN ('queued', 'deferred') AND agent_id = md5('agent sleeper')::uuid;
             UPDATE agent SET runtime_id = md5('runtime online')::uuid WHERE id = md5('agent sleeper')::uuid",
        )?;
        if has_deferred {
            client.batch_execute(
                "UPDATE agent_task_queue SET fire_at = now() WHERE id = md5('task waits for its runtime')::uuid",
            )?;
        }
        sweep(client)?;
        let place = |task: &str| {
            format!(
                "SELECT status, runtime_id = md5('runtime online')::uuid, session_id IS NULL, work_dir
                 FROM agent_task_queue WHERE id = {}",
                id(&format!("task {task}"))
            )
        };
        expect(client, &place("queued offline"), "queued t t /w")?;
        if has_deferred {
            expect(client, &place("waits for its runtime"), "deferred t t /w")?;
        }
        // What waits for a queued task, and not what waits for a deferred one.
        let announced = "SELECT count(*) FROM multica_event_log WHERE type = 'task:queued' AND payload ->> 'task_id' =";
        expect(client, &format!("{announced} {}::text", id("task queued offline")), "1")?;
        expect(client, &format!("{announced} {}::text", id("task waits for its runtime")), "0")
    })
}

/// Without its index a stage would read all tasks.
pub fn stage_without_index_is_off(context: &Context) -> Result<()> {
    let database = context.installed_generation("397")?;
    let mut client = database.connect()?;
    queue(&mut client, "3 hours")?;
    client.batch_execute(
        "DROP INDEX idx_agent_task_queue_terminal_completed_at_v2, idx_agent_task_queue_deferred_fire;
         DROP INDEX IF EXISTS multica_task_deferred;
         UPDATE agent_task_queue SET fire_at = now() - interval '4 hours' WHERE status = 'deferred'",
    )?;
    expect(
        &mut client,
        "SELECT unnest(stages_off) FROM multica_status()",
        "deferred tasks: index multica_task_deferred or idx_agent_task_queue_deferred_fire is missing\n\
         queued_ttl: index idx_agent_task_queue_terminal_completed_at_v2 or idx_agent_task_queue_terminal_completed_at is missing\n\
         finish_after: index idx_agent_task_queue_terminal_completed_at_v2 or idx_agent_task_queue_terminal_completed_at is missing",
    )?;
    sweep(&mut client)?;
    expect_task(&mut client, "old", "queued")?;
    expect_task(&mut client, "waits for its runtime", "deferred")
}

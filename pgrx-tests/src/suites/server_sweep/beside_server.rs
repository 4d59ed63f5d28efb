//! The sweep while a statement of the server's own sweeper is not committed. The statements are stand-ins.

use anyhow::{Result, ensure};
use postgres::Client;

use super::{id, sweep};
use crate::context::Context;
use crate::suites::cases::on_databases;
use crate::suites::support::{expect, start, value};

/// Ten agents of a machine that is offline, with a hundred running tasks each, every one with an issue. Nothing else is in
/// flight.
const THOUSAND: &str = "
    UPDATE agent_task_queue SET status = 'cancelled', completed_at = now() WHERE status NOT IN ('completed', 'failed', 'cancelled');
    INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at, updated_at)
    VALUES (md5('runtime gone')::uuid, md5('workspace 1')::uuid, 'machine-gone', 'gone', 'local', 'claude', 'offline',
        now() - interval '4 hours', now() - interval '4 hours');
    INSERT INTO agent (id, workspace_id, name, runtime_mode, runtime_id, status, max_concurrent_tasks, owner_id)
    SELECT md5('agent ' || n)::uuid, md5('workspace 1')::uuid, 'agent ' || n, 'local', md5('runtime gone')::uuid, 'working', 100,
        md5('user 1')::uuid
    FROM generate_series(0, 9) AS n;
    INSERT INTO issue (id, workspace_id, title, status, assignee_type, assignee_id, creator_type, creator_id, number)
    SELECT md5('issue ' || n)::uuid, md5('workspace 1')::uuid, 'one of many', 'in_progress', 'agent', md5('agent ' || n % 10)::uuid,
        'member', md5('user 1')::uuid, 1000 + n
    FROM generate_series(1, 1000) AS n;
    INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, created_at, dispatched_at, started_at)
    SELECT md5('task ' || n)::uuid, md5('agent ' || n % 10)::uuid, md5('runtime gone')::uuid, md5('issue ' || n)::uuid, 'running',
        now() - interval '1 day' + n * interval '1 second', now() - interval '5 hours', now() - interval '5 hours'
    FROM generate_series(1, 1000) AS n";

/// The stage of the server's sweeper.
const SERVER_FAILS: &str = "UPDATE agent_task_queue
    SET status = 'failed', completed_at = now(), error = 'runtime went offline', failure_reason = 'runtime_offline'
    WHERE status IN ('dispatched', 'running') AND id IN (
        SELECT t.id FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
        WHERE r.id = md5('runtime gone')::uuid AND r.status = 'offline'
          AND COALESCE(r.last_seen_at, r.updated_at) < now() - interval '3 hours' AND t.status IN ('dispatched', 'running')
        ORDER BY COALESCE(r.last_seen_at, r.updated_at), t.created_at LIMIT 500 FOR UPDATE OF t SKIP LOCKED
    )";

/// The stage of the extension, for as many tasks.
const CALL_FAILS: &str = "SELECT count(*) FROM multica_fail_tasks_for_offline_runtimes(max_tasks => 500)";

/// The server's retries of the tasks that it has failed, one by one. It does not ask whether there is one.
const SERVER_RETRIES: &str = "DO $$ DECLARE failed uuid; BEGIN
    FOR failed IN SELECT t.id FROM agent_task_queue AS t
        WHERE t.runtime_id = md5('runtime gone')::uuid AND t.status = 'failed'
          AND NOT EXISTS (SELECT FROM multica_event_log AS e WHERE e.type = 'task:failed' AND e.payload ->> 'task_id' = t.id::text)
    LOOP
        INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, attempt, parent_task_id)
        SELECT agent_id, runtime_id, issue_id, 2, id FROM agent_task_queue WHERE id = failed ON CONFLICT DO NOTHING;
    END LOOP;
END $$";

pub fn both_offline_stages_fail_each_task_once(context: &Context) -> Result<()> {
    // Retries are queued in the older generation, and deferred in the newer one.
    for generation in ["109", "397"] {
        for (first, second) in [(SERVER_FAILS, CALL_FAILS), (CALL_FAILS, SERVER_FAILS)] {
            let database = context.installed_generation(generation)?;
            let (mut client, mut other) = (database.connect()?, database.connect()?);
            client.batch_execute(THOUSAND)?;
            other.batch_execute(&format!("BEGIN; {first}"))?;
            // The second stage waits for nothing, and takes the other half.
            client.batch_execute(&format!("SET lock_timeout = '2s'; {second}; RESET lock_timeout"))?;
            other.batch_execute("COMMIT")?;
            each_has_failed_once(&mut client)?;
        }
    }
    Ok(())
}

fn each_has_failed_once(client: &mut Client) -> Result<()> {
    let count = |what: &str| {
        format!("SELECT count(*) FROM agent_task_queue WHERE runtime_id = md5('runtime gone')::uuid AND {what}")
    };
    let announced =
        "SELECT count(*), count(DISTINCT payload ->> 'task_id') FROM multica_event_log WHERE type = 'task:failed'";
    let retries = "SELECT count(*), count(DISTINCT c.parent_task_id) FROM agent_task_queue AS c
        WHERE c.runtime_id = md5('runtime gone')::uuid AND c.parent_task_id IS NOT NULL";
    expect(client, &count("status = 'failed' AND failure_reason = 'runtime_offline'"), "1000")?;
    expect(client, retries, "500 500")?;
    expect(client, announced, "500 500")?;
    expect(client, CALL_FAILS, "0")?;
    ensure!(client.execute(SERVER_FAILS, &[])? == 0, "the server fails a task again");
    // The server retries what it has failed, and the extension makes no second retry of any task.
    client.batch_execute(SERVER_RETRIES)?;
    let handle = "SELECT retried FROM multica_handle_failed_tasks(ARRAY(
        SELECT id FROM agent_task_queue WHERE runtime_id = md5('runtime gone')::uuid AND status = 'failed'))";
    expect(client, handle, "0")?;
    expect(client, retries, "1000 1000")?;
    expect(client, announced, "1000 1000")
}

/// The server handles very late what its sweeper has failed, at the moment in which the sweep looks for what the server
/// left undone.
pub fn retry_of_the_server_is_not_repeated(context: &Context) -> Result<()> {
    on_databases(context, &["redis_era"], |database, client| {
        let off =
            "SELECT EXISTS (SELECT FROM unnest(stages_off) AS s WHERE s LIKE 'finish_after:%') FROM multica_status()";
        if value(client, off)? == "t" {
            return Ok(());
        }
        let task = id("task running");
        let has_deferred = value(client, "SELECT 'deferred' = ANY (features) FROM multica_status()")? == "t";
        let retry = |status: &str| {
            format!(
                "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, attempt, parent_task_id, status{})
                 SELECT agent_id, runtime_id, issue_id, 2, id, '{status}'{} FROM agent_task_queue WHERE id = {task}
                 ON CONFLICT DO NOTHING",
                if status == "deferred" { ", fire_at" } else { "" },
                if status == "deferred" { ", now() + interval '1 hour'" } else { "" },
            )
        };
        let fail = |client: &mut Client, reason: &str| -> Result<()> {
            Ok(client.batch_execute(&format!(
                "DELETE FROM agent_task_queue WHERE parent_task_id = {task};
                 UPDATE agent_task_queue SET status = 'cancelled', completed_at = now() - interval '1 hour'
                 WHERE id = {other};
                 UPDATE agent_task_queue SET status = 'failed', completed_at = now() - interval '11 minutes', error = 'task timed out',
                     failure_reason = '{reason}' WHERE id = {task};
                 UPDATE issue SET status = 'in_progress' WHERE id = {issue};
                 UPDATE multica_sweep_state SET finished_to = NULL",
                other = id("task of a profile"),
                issue = id("issue is worked on"),
            ))?)
        };
        let one_retry = |client: &mut Client| -> Result<()> {
            expect(client, &format!("SELECT count(*) FROM agent_task_queue WHERE parent_task_id = {task}"), "1")?;
            expect(client, &format!("SELECT status FROM issue WHERE id = {}", id("issue is worked on")), "in_progress")
        };
        // The server is first, with a retry in the queue or with a deferred one.
        for (reason, status) in [("timeout", "queued"), ("runtime_offline", "deferred")] {
            if status == "deferred" && !has_deferred {
                continue;
            }
            fail(client, reason)?;
            let mut server = database.connect()?;
            server.batch_execute(&format!("BEGIN; {}", retry(status)))?;
            client.batch_execute("SET lock_timeout = '2s'")?;
            sweep(client)?;
            client.batch_execute("RESET lock_timeout")?;
            server.batch_execute("COMMIT")?;
            one_retry(client)?;
            client.batch_execute("UPDATE multica_sweep_state SET finished_to = NULL")?;
            sweep(client)?;
            one_retry(client)?;
        }
        // The sweep is first.
        fail(client, "timeout")?;
        let mut sweeper = database.connect()?;
        sweeper.batch_execute("BEGIN; SELECT FROM multica_sweep()")?;
        let late = start(database, &retry("queued"))?;
        late.wait_until_blocked(client)?;
        sweeper.batch_execute("COMMIT")?;
        late.finish()?;
        one_retry(client)
    })
}

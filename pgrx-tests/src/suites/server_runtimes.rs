//! Deletion, collection and recovery of runtimes in the tables of a server, on every generation that has the features of
//! a case.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::cases::on_generations;
use super::server_merges::make_work_of_builder;
use super::support::{expect, expect_state, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    runtime_is_deleted_only_with_confirmed_agents,
    deleted_runtime_pauses_squads_and_takes_its_system_agents,
    usage_moves_to_named_runtime,
    work_of_agents_that_moved_is_kept,
    archived_agents_are_deleted_or_kept_as_by_the_server,
    task_without_end_does_not_keep_runtime,
    runtime_in_use_is_not_collected,
    recovery_fails_waiting_task_at_once,
];

/// The rows of a runtime that is deleted: its open tasks, all its tasks, and those that have neither a runtime nor an end.
const SLEEPER: &str = "
    SELECT
        count(*) FILTER (WHERE status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')),
        count(*),
        count(*) FILTER (WHERE runtime_id IS NULL AND completed_at IS NULL)
    FROM agent_task_queue WHERE agent_id = md5('agent sleeper')::uuid";

fn delete(runtime: &str, more: &str) -> String {
    format!("multica_delete_runtime(md5('runtime {runtime}')::uuid{more})")
}

/// Fails unless a call fails with 55006 and a detail with these words.
fn expect_in_use(client: &mut Client, call: &str, words: &str) -> Result<()> {
    let error = client.batch_execute(&format!("SELECT {call}")).err().with_context(|| format!("{call} succeeds"))?;
    let error = error.as_db_error().with_context(|| format!("{call}: {error}"))?;
    let detail = error.detail().unwrap_or_default();
    ensure!(error.code().code() == "55006" && detail.contains(words), "{call}: {error:?}");
    Ok(())
}

/// A user confirms the agents that lose their runtime. Between the question and the answer, agents may have been bound or
/// unbound.
fn runtime_is_deleted_only_with_confirmed_agents(context: &Context) -> Result<()> {
    on_generations(context, &["unbound"], |client, _| {
        expect_in_use(client, &delete("offline", ""), "not archived is 1.")?;
        for others in
            ["'{}'", "ARRAY[md5('agent worker')::uuid]", "ARRAY[md5('agent worker'), md5('agent sleeper')]::uuid[]"]
        {
            expect_in_use(client, &delete("offline", &format!(", {others}")), "The plan has changed")?;
        }
        let all = value(client, "SELECT count(*) FROM agent_task_queue WHERE agent_id = md5('agent sleeper')::uuid")?;
        let confirmed = delete("offline", ", ARRAY[md5('agent sleeper')::uuid]");
        expect(
            client,
            &format!(
                "SELECT agents_deleted, tasks_deleted, tasks_kept, agents_unbound, autopilots_paused FROM {confirmed}"
            ),
            &format!("0 0 {all} 1 1"),
        )?;
        expect(client, SLEEPER, &format!("0 {all} 0"))?;
        expect(client, "SELECT status, runtime_id IS NULL FROM agent WHERE id = md5('agent sleeper')::uuid", "idle t")?;
        expect(
            client,
            "SELECT status, pause_reason FROM autopilot WHERE id = md5('autopilot of issues')::uuid",
            "paused agent_runtime_required",
        )?;
        expect(client, "SELECT status FROM issue WHERE id = md5('issue lost its runtime')::uuid", "todo")?;
        expect(client, "SELECT count(*) FROM agent_runtime WHERE id = md5('runtime offline')::uuid", "0")?;
        expect(
            client,
            "SELECT completed_at = started_at FROM agent_task_queue WHERE id = md5('task cancelled without end')::uuid",
            "t",
        )?;
        let cancelled =
            "SELECT count(*) > 0 AND bool_and(e.payload->>'status' = 'cancelled' AND t.status = 'cancelled')
            FROM multica_events() AS e JOIN agent_task_queue AS t ON t.id = (e.payload->>'task_id')::uuid
            WHERE e.type LIKE 'task:%'";
        expect(client, cancelled, "t")?;
        expect(
            client,
            "SELECT payload->>'action', payload->'autopilot'->>'status' FROM multica_events()
             WHERE type IN ('daemon:register', 'autopilot:updated') ORDER BY id",
            "delete \n paused",
        )
    })
}

/// The leader of a squad has the runtime, so the autopilots of the squad cannot run either. Agents that the server made
/// for the runtime go with it.
fn deleted_runtime_pauses_squads_and_takes_its_system_agents(context: &Context) -> Result<()> {
    on_generations(context, &["unbound", "squad"], |client, _| {
        make_work_of_builder(client, "agent builder online")?;
        client.batch_execute(
            "INSERT INTO autopilot (id, workspace_id, title, assignee_type, assignee_id, execution_mode, created_by_type, created_by_id)
             SELECT md5('autopilot of squad')::uuid, workspace_id, 'of squad', 'squad', id, 'run_only', 'member', creator_id FROM squad;
             INSERT INTO squad_member (squad_id, member_type, member_id)
             VALUES (md5('squad')::uuid, 'agent', md5('agent builder online')::uuid)",
        )?;
        let agents = "ARRAY(SELECT id FROM agent WHERE runtime_id = md5('runtime online')::uuid AND kind = 'user')";
        expect(
            client,
            &format!(
                "SELECT agents_deleted, tasks_deleted, agents_unbound, autopilots_paused FROM {}",
                delete("online", &format!(", {agents}"))
            ),
            "1 2 2 2",
        )?;
        expect(
            client,
            "SELECT count(*) FROM autopilot WHERE status = 'paused' AND pause_reason = 'agent_runtime_required'
             AND id IN (md5('autopilot of squad')::uuid, md5('autopilot of tasks')::uuid)",
            "2",
        )?;
        expect(client, "SELECT count(*) FROM agent WHERE id = md5('agent builder online')::uuid", "0")?;
        expect(client, "SELECT count(*) FROM squad_member WHERE member_id = md5('agent builder online')::uuid", "0")
    })
}

/// The server counts what tasks have used by their runtime. It no longer counts a task without one.
fn usage_moves_to_named_runtime(context: &Context) -> Result<()> {
    on_generations(context, &["unbound", "usage"], |client, _| {
        let dirty = |runtime: &str| {
            format!(
                "SELECT count(*) > 0 FROM task_usage_hourly_dirty WHERE runtime_id = md5('runtime {runtime}')::uuid"
            )
        };
        client.batch_execute("DELETE FROM task_usage_hourly_dirty")?;
        let call = delete("offline", ", ARRAY[md5('agent sleeper')::uuid], md5('runtime online')::uuid");
        expect(client, &format!("SELECT tasks_kept > 0 FROM {call}"), "t")?;
        expect(
            client,
            "SELECT bool_and(runtime_id = md5('runtime online')::uuid AND session_id IS NULL AND completed_at IS NOT NULL)
             FROM agent_task_queue WHERE agent_id = md5('agent sleeper')::uuid",
            "t",
        )?;
        expect(client, &dirty("online"), "t")?;
        for (into, state) in [("offline", "P0002"), ("other workspace", "P0002"), ("silent", "22023")] {
            let call = delete("silent", &format!(", ARRAY[md5('agent silent')::uuid], md5('runtime {into}')::uuid"));
            expect_state(client, &format!("SELECT {call}"), state)?;
        }
        Ok(())
    })
}

/// An agent that was bound to another runtime goes on there, with all its tasks.
fn work_of_agents_that_moved_is_kept(context: &Context) -> Result<()> {
    on_generations(context, &["unbound"], |client, _| {
        client.batch_execute(
            "UPDATE agent SET runtime_id = md5('runtime online')::uuid WHERE id = md5('agent sleeper')::uuid",
        )?;
        let queued = "SELECT status, runtime_id = md5('runtime online')::uuid FROM agent_task_queue
                      WHERE id = md5('task queued offline')::uuid";
        expect(client, &format!("SELECT agents_unbound, autopilots_paused FROM {}", delete("offline", "")), "0 0")?;
        expect(client, queued, "queued t")?;
        expect(
            client,
            "SELECT status, failure_reason, runtime_id = md5('runtime online')::uuid FROM agent_task_queue
             WHERE id = md5('task running offline')::uuid",
            "failed runtime_offline t",
        )
    })
}

/// Before agents could be without a runtime, an archived agent was deleted with its runtime, and so were the agents that
/// the server made for it. Later the server keeps archived agents.
fn archived_agents_are_deleted_or_kept_as_by_the_server(context: &Context) -> Result<()> {
    on_generations(context, &["system_agents"], |client, _| {
        let unbound = value(client, "SELECT 'unbound' = ANY (features) FROM multica_status()")? == "t";
        let of_renamed = "(md5('runtime renamed')::uuid)";
        expect(client, &format!("SELECT multica_count_active_agents{of_renamed}"), "0")?;
        let archived = format!("SELECT multica_delete_archived_agents{of_renamed}");
        match unbound {
            true => expect_state(client, &archived, "0A000")?,
            false => {
                client.batch_execute("BEGIN")?;
                expect(client, &archived, "1")?;
                expect(client, "SELECT count(*) FROM agent WHERE id = md5('agent builder renamed')::uuid", "1")?;
                client.batch_execute("ROLLBACK")?;
            }
        }
        expect(
            client,
            &format!("SELECT agents_deleted, agents_unbound FROM {}", delete("renamed", "")),
            if unbound { "1 1" } else { "2 0" },
        )
    })
}

/// The server did not always write the end of a task that it cancelled. Its own collection keeps such a runtime for ever.
fn task_without_end_does_not_keep_runtime(context: &Context) -> Result<()> {
    let collect = "SELECT runtime_id = md5('runtime renamed')::uuid FROM multica_delete_stale_offline_runtimes(604800)";
    let task = "FROM agent_task_queue WHERE id = md5('task failed without end')::uuid";
    on_generations(context, &[], |client, _| {
        client.batch_execute(
            "DELETE FROM agent WHERE name LIKE 'builder%';
             UPDATE agent SET runtime_id = md5('runtime online')::uuid WHERE runtime_id = md5('runtime renamed')::uuid",
        )?;
        expect(client, collect, "t")?;
        expect(
            client,
            &format!("SELECT completed_at = started_at, runtime_id = md5('runtime online')::uuid, session_id {task}"),
            "t t ",
        )
    })?;
    on_generations(context, &["unbound"], |client, _| {
        client.batch_execute(
            "DELETE FROM agent WHERE name LIKE 'builder%';
             UPDATE agent SET runtime_id = NULL WHERE runtime_id = md5('runtime renamed')::uuid",
        )?;
        expect(client, collect, "t")?;
        expect(client, &format!("SELECT completed_at = started_at, runtime_id IS NULL {task}"), "t t")
    })
}

/// A runtime that an agent or an open task still needs is not collected, and its tasks stay as they are.
fn runtime_in_use_is_not_collected(context: &Context) -> Result<()> {
    let collect = "SELECT count(*) FROM multica_delete_stale_offline_runtimes(604800)";
    let untouched = "SELECT completed_at IS NULL FROM agent_task_queue WHERE id = md5('task failed without end')::uuid";
    on_generations(context, &["system_agents"], |client, _| {
        client.batch_execute(
            "UPDATE agent SET runtime_id = md5('runtime online')::uuid WHERE id = md5('agent archived')::uuid",
        )?;
        expect(client, collect, "0")?;
        client.batch_execute("DELETE FROM agent WHERE name = 'builder renamed'")?;
        expect(client, untouched, "t")
    })?;
    for (feature, status, with) in
        [("waiting", "waiting_local_directory", "dispatched_at = now()"), ("deferred", "deferred", "fire_at = now()")]
    {
        on_generations(context, &[feature], |client, _| {
            client.batch_execute(&format!(
                "DELETE FROM agent WHERE name = 'builder renamed';
                 UPDATE agent SET runtime_id = md5('runtime online')::uuid WHERE id = md5('agent archived')::uuid;
                 INSERT INTO agent_task_queue (id, agent_id, runtime_id)
                 VALUES (md5('open')::uuid, md5('agent archived')::uuid, md5('runtime renamed')::uuid);
                 UPDATE agent_task_queue SET status = '{status}', {with} WHERE id = md5('open')::uuid"
            ))?;
            expect(client, collect, "0")?;
            expect(client, untouched, "t")
        })?;
    }
    Ok(())
}

/// A daemon that has restarted fails what its former process had, but not what it still runs.
fn recovery_fails_waiting_task_at_once(context: &Context) -> Result<()> {
    let states = "SELECT status, failure_reason, completed_at IS NOT NULL, wait_reason,
                      (SELECT count(*) FROM agent_task_queue AS c WHERE c.parent_task_id = t.id)
                  FROM agent_task_queue AS t WHERE id IN (md5('task waits for a directory')::uuid, md5('task running')::uuid)
                  ORDER BY id = md5('task running')::uuid";
    let failed = "failed runtime_recovery t  1";
    on_generations(context, &["waiting"], |client, _| {
        client.batch_execute(
            "SELECT multica_recover_orphans(
                 md5('runtime online')::uuid, ARRAY(SELECT id FROM agent_task_queue WHERE id <> md5('task waits for a directory')::uuid))",
        )?;
        expect(client, states, &format!("{failed}\nrunning  f  0"))?;
        client.batch_execute(
            "SELECT FROM multica_register(md5('workspace 1')::uuid,
                 '{\"daemon_id\": \"machine-online\", \"recover\": true, \"runtimes\": [{\"type\": \"claude\"}]}')",
        )?;
        expect(client, states, &format!("{failed}\n{failed}"))
    })?;
    on_generations(context, &["lease"], |client, _| {
        client.batch_execute("SELECT multica_recover_orphans(md5('runtime online')::uuid)")?;
        expect(
            client,
            "SELECT count(*) FROM agent_task_queue WHERE failure_reason = 'runtime_recovery'
             AND (prepare_lease_expires_at IS NOT NULL OR completed_at IS NULL)",
            "0",
        )
    })
}

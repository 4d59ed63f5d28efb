//! When silence sets a runtime offline, and when it fails the work of a runtime.

use anyhow::{Result, ensure};
use postgres::Client;

use super::{expect_task, id, silence, sweep};
use crate::context::Context;
use crate::suites::cases::{on_databases, on_generations};
use crate::suites::server_consequences::insert_work;
use crate::suites::support::{expect, start, team, value};

const ONLINE: &str = "SELECT status FROM agent_runtime WHERE id = md5('runtime online')::uuid";

/// The server writes a heartbeat to the table up to 105 seconds late.
pub fn runtime_is_stale_after_150_seconds(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        silence(client, "online", "online", "100 seconds")?;
        sweep(client)?;
        expect(client, ONLINE, "online")?;
        silence(client, "online", "online", "151 seconds")?;
        sweep(client)?;
        expect(client, ONLINE, "offline")?;
        expect(
            client,
            "SELECT count(*) FROM multica_event_log
             WHERE type = 'daemon:register' AND payload ->> 'action' = 'stale_sweep'
               AND payload -> 'runtime_ids' ? md5('runtime online')::uuid::text",
            "1",
        )?;
        client.batch_execute(
            "UPDATE agent_runtime SET status = 'online', last_seen_at = NULL WHERE id = md5('runtime online')::uuid",
        )?;
        sweep(client)?;
        expect(client, ONLINE, "online")
    })
}

/// A laptop that only sleeps keeps its work for three hours.
pub fn work_of_offline_runtime_is_failed_after_grace(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        silence(client, "online", "offline", "20 minutes")?;
        sweep(client)?;
        expect_task(client, "running", "running")?;
        silence(client, "online", "offline", "3 hours 1 second")?;
        sweep(client)?;
        expect_task(client, "running", "failed runtime_offline /runtime went offline")?;
        expect(client, "SELECT count(*) FROM agent_task_queue WHERE parent_task_id = md5('task running')::uuid", "1")?;
        expect(
            client,
            "SELECT count(*) FROM multica_event_log
             WHERE type = 'task:failed' AND payload ->> 'task_id' = md5('task running')::uuid::text",
            "1",
        )
    })
}

/// While the lease lasts, the daemon prepares the task.
pub fn dispatched_task_with_lease_is_left(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era", "lease"], |client, _| {
        client.batch_execute(
            "UPDATE agent_task_queue
             SET dispatched_at = now() - interval '400 seconds', prepare_lease_expires_at = now() + interval '30 seconds'
             WHERE id = md5('task dispatched')::uuid",
        )?;
        sweep(client)?;
        expect_task(client, "dispatched", "dispatched")?;
        client.batch_execute(
            "UPDATE agent_task_queue SET prepare_lease_expires_at = now() - interval '1 second'
             WHERE id = md5('task dispatched')::uuid",
        )?;
        sweep(client)?;
        expect_task(client, "dispatched", "failed timeout /task timed out")?;
        expect(
            client,
            "SELECT prepare_lease_expires_at IS NULL FROM agent_task_queue WHERE id = md5('task dispatched')::uuid",
            "t",
        )
    })?;
    // Tables that install made have the lease too.
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1', status => 'dispatched');
         UPDATE agent_task_queue
         SET dispatched_at = now() - interval '400 seconds', prepare_lease_expires_at = now() + interval '30 seconds'",
    )?;
    let timed_out = "SELECT tasks_timed_out FROM multica_sweep()";
    expect(&mut client, timed_out, "0")?;
    client.batch_execute("UPDATE agent_task_queue SET prepare_lease_expires_at = now() - interval '1 second'")?;
    expect(&mut client, timed_out, "1")
}

/// A runtime that is neither alive nor gone may still start its task.
pub fn dispatched_task_of_silent_runtime_is_left(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, generation| {
        client.batch_execute(
            "UPDATE agent_task_queue SET dispatched_at = now() - interval '400 seconds'
             WHERE id = md5('task dispatched')::uuid",
        )?;
        if generation >= "124" {
            client.batch_execute(
                "UPDATE agent_task_queue SET prepare_lease_expires_at = now() - interval '5 minutes'
                 WHERE id = md5('task dispatched')::uuid",
            )?;
        }
        for status in ["online", "offline"] {
            silence(client, "online", status, "200 seconds")?;
            sweep(client)?;
            expect_task(client, "dispatched", "dispatched")?;
        }
        silence(client, "online", "online", "10 seconds")?;
        sweep(client)?;
        expect_task(client, "dispatched", "failed timeout /task timed out")
    })
}

/// A healthy daemon decides by itself how long a task runs.
pub fn running_task_of_alive_runtime_is_left(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        client.batch_execute(
            "UPDATE agent_task_queue
             SET dispatched_at = now() - interval '10 hours', started_at = now() - interval '10 hours'
             WHERE id = md5('task running')::uuid",
        )?;
        for (status, silent) in [("online", "10 seconds"), ("online", "20 minutes"), ("offline", "2 hours")] {
            silence(client, "online", status, silent)?;
            sweep(client)?;
            expect_task(client, "running", "running")?;
        }
        silence(client, "online", "online", "3 hours 1 second")?;
        let failed = "SELECT count(*) FROM multica_fail_stale_tasks(300, 9000) WHERE id = md5('task running')::uuid";
        expect(client, failed, "1")?;
        expect_task(client, "running", "failed timeout /task timed out")
    })
}

/// No clock fails a task that waits for its directory, except the death of its runtime.
pub fn waiting_task_is_failed_with_its_runtime_only(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era", "waiting"], |client, _| {
        client.batch_execute(
            "UPDATE agent_task_queue SET dispatched_at = now() - interval '5 hours'
             WHERE id = md5('task waits for a directory')::uuid",
        )?;
        sweep(client)?;
        expect_task(client, "waits for a directory", "waiting_local_directory")?;
        silence(client, "online", "offline", "3 hours 1 second")?;
        sweep(client)?;
        expect_task(client, "waits for a directory", "failed runtime_offline /runtime went offline")?;
        expect(
            client,
            "SELECT wait_reason IS NULL FROM agent_task_queue WHERE id = md5('task waits for a directory')::uuid",
            "t",
        )
    })
}

/// A workspace defines its own words; what counts is their category. Clients order changes of an issue by its revision.
pub fn last_failure_resets_an_issue_in_progress(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era", "open_status"], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            "INSERT INTO issue_status (workspace_id, key, name, category, color)
             VALUES (md5('workspace 1')::uuid, 'doing', 'doing', 'in_progress', '#336699'),
                 (md5('workspace 1')::uuid, 'looking', 'looking', 'in_review', '#336699')",
        )?;
        let has = |client: &mut Client, feature: &str| -> Result<bool> {
            Ok(value(client, &format!("SELECT '{feature}' = ANY (features) FROM multica_status()"))? == "t")
        };
        let (has_revision, has_activity) = (has(client, "revision")?, has(client, "activity")?);
        let revision = if has_revision { "revision" } else { "1" };
        let activity = if has_activity { "last_activity_at > now() - interval '1 minute'" } else { "status = 'todo'" };
        let row = format!("SELECT status, {revision}, {activity} FROM issue WHERE id = md5('issue x')::uuid");
        let before: i64 =
            value(client, &format!("SELECT {revision} FROM issue WHERE id = md5('issue x')::uuid"))?.parse()?;
        for (status, is_reset) in [("looking", false), ("doing", true)] {
            client.batch_execute(&format!(
                "UPDATE issue SET status = '{status}'{} WHERE id = md5('issue x')::uuid;
                 UPDATE agent_task_queue SET status = 'running', attempt = max_attempts, completed_at = NULL
                 WHERE id = md5('task x')::uuid",
                if has_activity { ", last_activity_at = now() - interval '1 day'" } else { "" }
            ))?;
            silence(client, "x", "offline", "3 hours 1 second")?;
            sweep(client)?;
            expect_task(client, "x", "failed runtime_offline /runtime went offline")?;
            let events = "SELECT payload ->> 'prev_status', payload #>> '{issue,status}' FROM multica_event_log
                WHERE type = 'issue:updated' AND payload #>> '{issue,id}' = md5('issue x')::uuid::text";
            if !is_reset {
                expect(client, &row, &format!("{status} {before} f"))?;
                expect(client, events, "")?;
                continue;
            }
            expect(client, &row, &format!("todo {} t", if has_revision { before + 1 } else { before }))?;
            expect(client, events, "doing todo")?;
        }
        Ok(())
    })
}

/// An automatic threshold depends on the tables, and the status says why.
pub fn own_tables_keep_their_thresholds(context: &Context) -> Result<()> {
    let thresholds = "SELECT stale_after, stale_after_source, offline_grace, offline_grace_source, queued_ttl,
                             queued_ttl_source, finish_after, stages_off FROM multica_status()";
    let (_database, mut client) = team(context)?;
    let own = "automatic: tables that multica_install() made";
    expect(&mut client, thresholds, &format!("00:00:45 {own} 00:00:00 {own}  off in these tables  {{}}"))?;
    client.batch_execute("SET multica.stale_after = '90s'; SET multica.offline_grace = '1h'")?;
    expect(&mut client, thresholds, "00:01:30 setting 01:00:00 setting  off in these tables  {}")?;
    client.batch_execute("SET multica.stale_after = -1")?;
    expect(&mut client, "SELECT stale_after FROM multica_status()", "00:00:45")?;
    let database = context.installed_generation("055")?;
    let mut client = database.connect()?;
    let former = "automatic: tables of a server that writes every heartbeat";
    expect(&mut client, thresholds, &format!("00:00:45 {former} 00:00:00 {former}  off in these tables  {{}}"))?;
    let database = context.installed_generation("397")?;
    let mut client = database.connect()?;
    let redis = "automatic: tables of a server that can keep heartbeats in Redis";
    expect(&mut client, thresholds, &format!("00:02:30 {redis} 03:00:00 {redis} 02:00:00 {redis} 00:10:00 {{}}"))
}

/// A threshold below what the server needs is used, and install and the status say what follows.
pub fn short_threshold_is_reported(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        let steps = "SELECT object, ddl LIKE 'ALTER DATABASE % SET ' || object || ' = -1'
                     FROM multica_install(dry_run => true) WHERE action = 'reported' AND object LIKE 'multica.%' ORDER BY 1";
        expect(client, steps, "")?;
        client.batch_execute("SET multica.stale_after = '45s'; SET multica.offline_grace = 0")?;
        expect(client, steps, "multica.offline_grace t\nmultica.stale_after t")?;
        expect(client, "SELECT stale_after, offline_grace FROM multica_status()", "00:00:45 00:00:00")?;
        silence(client, "online", "online", "50 seconds")?;
        sweep(client)?;
        expect(client, ONLINE, "offline")?;
        expect_task(client, "running", "failed runtime_offline /runtime went offline")
    })
}

/// The server's write of many heartbeats and a sweep meet at one runtime: the runtime that was seen stays online.
pub fn heartbeat_of_server_wins_against_sweep(context: &Context) -> Result<()> {
    let flush =
        "UPDATE agent_runtime SET last_seen_at = now() WHERE id = md5('runtime online')::uuid AND status = 'online'";
    on_databases(context, &["redis_era"], |database, client| {
        let mut server = database.connect()?;
        silence(client, "online", "online", "10 minutes")?;
        // The heartbeat comes first, and is not committed when the sweep looks.
        server.batch_execute(&format!("BEGIN; {flush}"))?;
        sweep(client)?;
        server.batch_execute("COMMIT")?;
        sweep(client)?;
        expect(client, ONLINE, "online")?;
        // The sweep comes first, and the heartbeat waits for it. No task fails before the grace is over.
        silence(client, "online", "online", "10 minutes")?;
        client.batch_execute("BEGIN; SELECT FROM multica_sweep()")?;
        let waiting = start(database, flush)?;
        waiting.wait_until_blocked(&mut server)?;
        client.batch_execute("COMMIT")?;
        waiting.finish()?;
        expect(client, ONLINE, "offline")?;
        expect_task(client, "running", "running")?;
        let seen = value(client, &format!("SELECT id FROM multica_heartbeat({})", id("runtime online")))?;
        ensure!(!seen.is_empty(), "the next heartbeat finds the runtime");
        expect(client, ONLINE, "online")?;
        Ok(())
    })
}

/// More tasks of an offline runtime than a batch have run for too long. Each is failed because its runtime is gone.
pub fn task_of_offline_runtime_does_not_time_out_beside_full_batch(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task(n::text, status => 'running') FROM generate_series(10, 14) AS n;
         UPDATE agent_task_queue SET dispatched_at = now() - interval '1 day', started_at = now() - interval '1 day';
         UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '1 day' WHERE daemon_id = 'machine-1';
         SET multica.batch_size = 2",
    )?;
    expect(&mut client, "SELECT tasks_failed, tasks_timed_out, more FROM multica_sweep()", "2 0 t")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(
        &mut client,
        "SELECT DISTINCT failure_reason FROM agent_task_queue WHERE status = 'failed'",
        "runtime_offline",
    )
}

//! Heartbeats, registration, deregistration and collection of runtimes.

use anyhow::Result;

use super::Suite;
use super::support::{dead_machine, expect, id, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    heartbeat_uses_time_of_call,
    heartbeat_returns_tasks_to_stop,
    runtime_without_heartbeat_is_never_stale,
    used_runtime_is_not_collected,
    batches_are_bounded_and_oldest_first,
    second_registration_keeps_omitted_fields,
    running_task_is_not_an_orphan,
    deregister_records_one_event_per_workspace,
];

/// The time of a heartbeat is that of the call, not that of its transaction.
fn heartbeat_uses_time_of_call(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    for call in ["* FROM multica_heartbeat(", "multica_heartbeat_many(ARRAY["] {
        let close = if call.contains("ARRAY") { "]::uuid[])" } else { ")" };
        expect(
            &mut client,
            &format!(
                "BEGIN; CREATE TEMPORARY TABLE before ON COMMIT DROP AS SELECT clock_timestamp() AS at;
                 DO $$ BEGIN PERFORM {call}{runtime}{close}; END $$;
                 SELECT r.last_seen_at > b.at, r.updated_at > b.at, b.at > now()
                 FROM agent_runtime AS r, before AS b WHERE r.id = {runtime}; COMMIT",
                call = call.trim_start_matches("* FROM "),
                runtime = id("b2"),
            ),
            "t t t",
        )?;
    }
    Ok(())
}

/// The heartbeat returns those tasks of the daemon's list that it must stop, in the order of the list: ended tasks,
/// tasks of another runtime, unknown tasks.
fn heartbeat_returns_tasks_to_stop(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    let heartbeat = |tasks: &[&str]| {
        let tasks: Vec<String> = tasks.iter().map(|task| id(task)).collect();
        format!(
            "SELECT array_to_string(ARRAY(SELECT right(x::text, 2) FROM unnest(stop_task_ids) AS x), ' ')
             FROM multica_heartbeat({}, ARRAY[{}]::uuid[])",
            id("b1"),
            tasks.join(",")
        )
    };
    expect(&mut client, &heartbeat(&["e3", "e1", "ff", "e2", "ec", "e8"]), "e3 ff ec e8")?;
    client.batch_execute("UPDATE agent_task_queue SET status = 'cancelled' WHERE right(id::text, 2) = 'e1'")?;
    expect(&mut client, &heartbeat(&["e1", "e2"]), "e1")?;
    expect(&mut client, &heartbeat(&[]), "")?;
    // The heartbeat that sets the runtime online returns them too.
    client.batch_execute(&format!("SELECT multica_set_runtime_offline({})", id("b1")))?;
    expect(&mut client, &heartbeat(&["e1", "e2"]), "e1")
}

fn runtime_without_heartbeat_is_never_stale(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "UPDATE agent_runtime SET last_seen_at = NULL, created_at = now() - interval '1 year',
                                  updated_at = now() - interval '1 year'",
    )?;
    expect(
        &mut client,
        "SELECT count(*) FROM multica_mark_stale_runtimes_offline(0.001)
         UNION ALL SELECT count(*) FROM multica_delete_stale_offline_runtimes(0.001)",
        "0\n0",
    )
}

/// A runtime with a bound agent, archived ones included, or with an active task is not collected, however old it is.
fn used_runtime_is_not_collected(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT ('00000000-0000-4000-8000-0000000000' || g.id)::uuid, {workspace}, g.id, g.id, 'local', 'x', g.status,
                now() - g.unseen
         FROM (VALUES ('21', 'offline', interval '8 days'), ('22', 'offline', '8 days'), ('23', 'offline', '8 days'),
                      ('24', 'online', '8 days'), ('25', 'offline', '6 days')) AS g (id, status, unseen);
         INSERT INTO agent (workspace_id, name, runtime_mode, runtime_id, archived_at)
         VALUES ({workspace}, 'Old', 'local', {archived}, now());
         INSERT INTO agent_task_queue (agent_id, runtime_id) VALUES ({bo}, {queued})",
        workspace = id("a1"),
        archived = id("21"),
        bo = id("c2"),
        queued = id("22"),
    ))?;
    expect(&mut client, "SELECT right(runtime_id::text, 2) FROM multica_delete_stale_offline_runtimes(604800)", "23")?;
    expect(
        &mut client,
        "SELECT payload ->> 'action', payload ->> 'runtime_ids' FROM multica_event_log",
        "runtime_gc [\"00000000-0000-4000-8000-000000000023\"]",
    )
}

/// Every stage takes its oldest rows first and reports when it has reached its limit. In the end no row is left.
fn batches_are_bounded_and_oldest_first(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "SET multica.batch_size = 2;
         UPDATE agent_task_queue SET dispatched_at = now() - interval '1 hour' WHERE right(id::text, 2) IN ('e9', 'e4')",
    )?;
    expect(&mut client, "SELECT tasks_failed, more FROM multica_sweep()", "2 t")?;
    expect(
        &mut client,
        "SELECT right(id::text, 2) FROM agent_task_queue WHERE status = 'failed' ORDER BY 1",
        "e4\ne9",
    )?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(&mut client, "SELECT tasks_failed, more FROM multica_sweep()", "0 f")?;
    expect(
        &mut client,
        "SELECT right(runtime_id::text, 2) FROM multica_mark_stale_runtimes_offline(0.001, 0)
         UNION ALL SELECT count(*)::text FROM agent_task_queue WHERE status = 'failed'",
        "10",
    )
}

/// A registration overwrites the fields it contains, and keeps owner, creation time and legacy id.
fn second_registration_keeps_omitted_fields(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute("UPDATE agent_runtime SET legacy_daemon_id = 'first', created_at = '2020-01-01'")?;
    let register = |owner: &str| {
        format!(
            "SELECT inserted, merged, name, device_info, status, metadata ->> 'version', right(owner_id::text, 2),
                    legacy_daemon_id, created_at = '2020-01-01', last_seen_at > now()
             FROM multica_register({}, '{{\"daemon_id\": \" machine-1 \", \"device_name\": \"box\",
                 \"runtimes\": [{{\"type\": \"claude\", \"version\": \"2\", \"status\": \"offline\"}}, {{\"provider\": \"codex\"}}]}}', {owner})",
            id("a1")
        )
    };
    expect(
        &mut client,
        &register("NULL"),
        "f 0 claude (box) box - 2 offline 2 f1 first t t\nt 0 codex (box) box online    f t",
    )?;
    client.batch_execute(&format!(
        "INSERT INTO \"user\" (id, name, email) VALUES ({}, 'Ina', 'i@example.com')",
        id("f2")
    ))?;
    expect(
        &mut client,
        &register(&id("f2")),
        "f 0 claude (box) box - 2 offline 2 f2 first t t\nf 0 codex (box) box online  f2  f t",
    )
}

/// Neither recovery nor registration fails a task that the daemon lists as running.
fn running_task_is_not_an_orphan(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_register({workspace}, '{{\"daemon_id\": \"machine-1\", \"recover\": true,
             \"runtimes\": [{{\"type\": \"claude\", \"running\": [\"{one}\", \"{two}\"]}}]}}')",
        workspace = id("a1"),
        one = id("e1").trim_matches('\''),
        two = id("e6").trim_matches('\''),
    ))?;
    let left = "SELECT right(id::text, 2), status FROM agent_task_queue
                WHERE status IN ('dispatched', 'running') AND right(runtime_id::text, 2) = 'b1' ORDER BY 1";
    expect(&mut client, left, "e1 running\ne6 running")?;
    expect(
        &mut client,
        &format!("SELECT orphaned, retried FROM multica_recover_orphans({}, ARRAY[{}]::uuid[])", id("b1"), id("e6")),
        "1 1",
    )?;
    expect(&mut client, left, "e6 running")
}

/// A call handles all runtimes of a daemon in all workspaces.
fn deregister_records_one_event_per_workspace(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "INSERT INTO workspace (id, name, slug) VALUES ({other}, 'Other', 'other');
         INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status)
         VALUES ({foreign}, {other}, 'machine-1', 'x', 'local', 'claude', 'online')",
        other = id("a2"),
        foreign = id("b9"),
    ))?;
    let all = "ARRAY(SELECT id FROM agent_runtime) || gen_random_uuid()";
    let seen = value(&mut client, "SELECT string_agg(last_seen_at::text, ' ' ORDER BY id) FROM agent_runtime")?;
    expect(&mut client, &format!("SELECT multica_deregister({all})"), "3")?;
    expect(&mut client, &format!("SELECT multica_deregister({all})"), "0")?;
    expect(
        &mut client,
        "SELECT right(workspace_id::text, 2), payload ->> 'action', jsonb_array_length(payload -> 'runtime_ids')
         FROM multica_event_log ORDER BY 1",
        "a1 deregister 2\na2 deregister 1",
    )?;
    expect(&mut client, "SELECT string_agg(last_seen_at::text, ' ' ORDER BY id) FROM agent_runtime", &seen)
}

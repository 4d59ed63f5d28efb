//! A daemon that had several ids. Its runtimes are merged into one.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{LIMIT, Running, dead_machine, expect, expect_state, id, start, value};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;
use crate::query::rows;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    merge_remembers_legacy_daemon_id,
    merge_keeps_exact_spelling,
    reassignment_is_announced,
    merge_across_workspaces_or_providers_is_refused,
    runtime_of_profile_is_not_merged,
    registration_succeeds_although_agent_is_held_each_time,
];

/// The passed id is remembered, unless it is that of the target itself; the first remembered id is kept.
fn merge_remembers_legacy_daemon_id(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    let merge = |name: &str| {
        format!(
            "SELECT right(runtime_id::text, 2), merged, agents_reassigned, tasks_reassigned
             FROM multica_merge_legacy({}, 'claude', '{name}', {})",
            id("a1"),
            id("b1")
        )
    };
    let remembered = format!("SELECT legacy_daemon_id FROM agent_runtime WHERE id = {}", id("b1"));
    expect(&mut client, &merge("nobody"), "b1 0 0 0")?;
    expect(&mut client, &remembered, "")?;
    expect(&mut client, &merge("OLD-name"), "b1 1 1 2")?;
    expect(&mut client, &remembered, "OLD-name")?;
    let older = format!(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider)
         VALUES ({}, 'MACHINE-1', 'x', 'local', 'claude')",
        id("a1")
    );
    client.batch_execute(&older)?;
    expect(&mut client, &merge("machine-1"), "b1 1 0 0")?;
    expect(&mut client, &remembered, "OLD-name")?;
    client.batch_execute("UPDATE agent_runtime SET legacy_daemon_id = NULL")?;
    client.batch_execute(&older)?;
    expect(&mut client, &merge("machine-1"), "b1 1 0 0")?;
    expect(&mut client, &remembered, "MACHINE-1")
}

/// If the ids of runtimes differ only in case, the runtime whose id is spelled as in the call is kept, or else the
/// runtime with the latest heartbeat.
fn merge_keeps_exact_spelling(context: &Context) -> Result<()> {
    for (given, kept) in [("Box", "Box"), ("bOX", "BOX")] {
        let (_database, mut client) = dead_machine(context)?;
        client.batch_execute(&format!(
            "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, last_seen_at)
             SELECT {}, d, d, 'local', 'claude', now() - age
             FROM (VALUES ('box', interval '1 day'), ('BOX', '1 hour'), ('Box', NULL)) AS g (d, age)",
            id("a1")
        ))?;
        expect(
            &mut client,
            &format!("SELECT merged FROM multica_merge_legacy({}, 'claude', '{given}')", id("a1")),
            "2",
        )?;
        expect(&mut client, "SELECT daemon_id FROM agent_runtime WHERE lower(daemon_id) = 'box'", kept)?;
    }
    Ok(())
}

/// A bridge wakes the daemon that has the tasks now. Nothing is announced if nothing has moved.
fn reassignment_is_announced(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    let both = format!("({}, {})", id("b3"), id("b1"));
    for call in ["multica_reassign_tasks", "multica_reassign_agents"] {
        client.batch_execute("TRUNCATE multica_event_log")?;
        expect(&mut client, &format!("SELECT {call}{both} > 0"), "t")?;
        expect(&mut client, &format!("SELECT {call}{both}"), "0")?;
        expect(
            &mut client,
            "SELECT type, payload ->> 'action', right(payload -> 'runtime_ids' ->> 0, 2), jsonb_array_length(payload -> 'runtime_ids')
             FROM multica_event_log",
            "daemon:register reassign b1 1",
        )?;
    }
    Ok(())
}

fn merge_across_workspaces_or_providers_is_refused(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "INSERT INTO workspace (id, name, slug) VALUES ({other}, 'Other', 'other');
         INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider)
         VALUES ({foreign}, {other}, 'old-name', 'x', 'local', 'claude')",
        other = id("a2"),
        foreign = id("b9"),
    ))?;
    for into in ["b9", "b2"] {
        let sql = format!("SELECT multica_merge_legacy({}, 'claude', 'old-name', {})", id("a1"), id(into));
        expect_state(&mut client, &sql, "P0002")?;
    }
    for call in ["multica_reassign_agents", "multica_reassign_tasks"] {
        expect_state(&mut client, &format!("SELECT {call}({}, {})", id("b3"), id("b9")), "P0002")?;
    }
    let found = value(
        &mut client,
        &format!("SELECT count(*) FROM multica_find_legacy_runtimes({}, 'claude', 'OLD-NAME')", id("a1")),
    )?;
    ensure!(found == "1", "found {found} runtimes in the workspace");
    Ok(())
}

/// A profile has its own runtime on each machine. A runtime with the same daemon id and provider does not replace it.
fn runtime_of_profile_is_not_merged(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "ALTER TABLE agent_runtime ADD COLUMN profile_id uuid;
         UPDATE agent_runtime SET profile_id = gen_random_uuid() WHERE daemon_id = 'old-name';
         INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, profile_id)
         VALUES ({}, {}, 'profile', 'x', 'local', 'claude', gen_random_uuid())",
        id("b9"),
        id("a1")
    ))?;
    let merge = |into: &str| {
        format!("SELECT merged FROM multica_merge_legacy({}, 'claude', 'OLD-name', {})", id("a1"), id(into))
    };
    expect(&mut client, &merge("b1"), "0")?;
    expect_state(&mut client, &merge("b9"), "P0002")?;
    expect(
        &mut client,
        &format!(
            r#"SELECT merged FROM multica_register({},
                   '{{"daemon_id": "new", "legacy_daemon_ids": ["old-name"], "runtimes": [{{"type": "claude"}}]}}')"#,
            id("a1")
        ),
        "0",
    )
}

/// Whenever a call that waits for an agent of the old runtime gets it and tries to take all locks at once, another
/// session has locked the agent again. A registration then leaves the merge for later, because the daemon must be able
/// to work. A merge must be repeated.
fn registration_succeeds_although_agent_is_held_each_time(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider)
         VALUES ({old}, {workspace}, 'older', 'x', 'local', 'claude');
         INSERT INTO agent (id, workspace_id, name, runtime_id) VALUES ({agent}, {workspace}, 'held', {old})",
        old = id("b9"),
        workspace = id("a1"),
        agent = id("c9"),
    ))?;
    let register = format!(
        r#"SELECT status, merged, not_merged FROM multica_register({},
               '{{"daemon_id": "machine-1", "legacy_daemon_ids": ["older"], "runtimes": [{{"type": "claude"}}]}}')"#,
        id("a1")
    );
    let merge = format!("SELECT merged FROM multica_merge_legacy({}, 'claude', 'older', {})", id("a1"), id("b1"));
    let registered = held_each_time(&database, &mut client, &register)?.finish()?;
    ensure!(rows(&registered) == ["online 0 1"], "the registration returns {:?}", rows(&registered));
    held_each_time(&database, &mut client, &merge)?.finish_with_state("40001")?;
    expect(&mut client, &register, "online 1 0")
}

/// How often a call tries to take all locks, as in the library.
const ROUNDS: usize = 10;

/// Starts a call, and locks the agent of the old runtime each time that the call tries. While the call waits for the
/// old runtime, it does not hold the agent.
fn held_each_time(database: &Database, observer: &mut Client, call: &str) -> Result<Running> {
    let lock = |table: &str, row: &str| format!("BEGIN; SELECT FROM {table} WHERE id = {} FOR UPDATE", id(row));
    let (mut of_agent, mut of_runtime) = (database.connect()?, database.connect()?);
    of_agent.batch_execute(&lock("agent", "c9"))?;
    let running = start(database, call)?;
    for _ in 1..ROUNDS {
        wait_until_blocked_by(&running, &mut of_agent, observer)?;
        of_runtime.batch_execute(&lock("agent_runtime", "b9"))?;
        of_agent.batch_execute("COMMIT")?;
        wait_until_blocked_by(&running, &mut of_runtime, observer)?;
        of_agent.batch_execute(&lock("agent", "c9"))?;
        of_runtime.batch_execute("COMMIT")?;
    }
    Cluster::wait_until("the call ends", LIMIT, || {
        let sql = "SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active'";
        Ok(observer.query(sql, &[&running.pid])?.is_empty())
    })?;
    Ok(running)
}

fn wait_until_blocked_by(running: &Running, by: &mut Client, observer: &mut Client) -> Result<()> {
    let pid: i32 = by.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    Cluster::wait_until("the call waits for the session", LIMIT, || {
        Ok(observer.query_one("SELECT $1 = ANY (pg_blocking_pids($2))", &[&pid, &running.pid])?.get(0))
    })
}

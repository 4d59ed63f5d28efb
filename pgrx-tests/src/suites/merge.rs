//! A daemon that had several ids. Its runtimes are merged into one.

use anyhow::{Result, ensure};

use super::Suite;
use super::support::{dead_machine, expect, expect_state, id, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    merge_remembers_legacy_daemon_id,
    merge_keeps_exact_spelling,
    merge_across_workspaces_or_providers_is_refused,
    runtime_of_profile_is_not_merged,
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

//! Merges of runtimes in the tables of a server, on every generation that has the features of a case.

use anyhow::Result;
use postgres::Client;

use super::Suite;
use super::cases::on_generations;
use super::support::expect;
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    merge_joins_system_agents_of_same_key,
    archived_system_agent_gets_and_gives_no_work,
    system_agents_with_tasks_of_one_issue_stay_apart,
    reassigned_agents_leave_no_key_twice,
    merge_keeps_chats_resumable,
    merge_keeps_what_users_set,
    merge_does_not_share_private_runtime,
];

/// Registers the daemon of runtime `online`, which was known as the daemon of runtime `renamed`.
const REGISTER: &str = "SELECT merged, not_merged FROM multica_register(md5('workspace 1')::uuid, '{
    \"daemon_id\": \"machine-online\", \"legacy_daemon_ids\": [\"machine-renamed.local\"],
    \"runtimes\": [{\"type\": \"claude\", \"name\": \"online\"}]
}')";

/// Makes two tasks of a system agent, with usage, one of them on another runtime and running, and a chat session.
pub fn make_work_of_builder(client: &mut Client, agent: &str) -> Result<()> {
    client.batch_execute(&format!(
        "INSERT INTO chat_session (id, workspace_id, agent_id, creator_id)
         SELECT md5('chat of builder')::uuid, workspace_id, id, owner_id FROM agent WHERE id = md5('{agent}')::uuid;
         INSERT INTO agent_task_queue (id, agent_id, runtime_id, status, dispatched_at, started_at, completed_at)
         SELECT md5('task of builder ' || t.status)::uuid, a.id, md5('runtime ' || runtime)::uuid, t.status, now(), now(), ended
         FROM (VALUES ('completed', 'renamed', now()), ('running', 'offline', NULL)) AS t (status, runtime, ended)
         JOIN agent AS a ON a.id = md5('{agent}')::uuid;
         INSERT INTO task_usage (task_id, provider, model, input_tokens, output_tokens)
         SELECT md5('task of builder ' || status)::uuid, 'claude', 'model', 10, 1
         FROM unnest(ARRAY['completed', 'running']) AS status;
         INSERT INTO task_token (token_hash, task_id, agent_id, workspace_id, user_id, expires_at)
         SELECT 'token of builder', md5('task of builder running')::uuid, id, workspace_id, owner_id, now() + interval '1 day'
         FROM agent WHERE id = md5('{agent}')::uuid"
    ))?;
    Ok(())
}

/// The system agents of runtimes `online` and `renamed`, by name: whether each has a key, is archived, and its work.
const BUILDERS: &str = "
    SELECT
        a.name, r.name, a.system_key IS NOT NULL, a.archived_at IS NOT NULL, a.status,
        (SELECT count(*) FROM agent_task_queue AS t WHERE t.agent_id = a.id),
        (SELECT count(*) FROM chat_session AS c WHERE c.agent_id = a.id),
        (SELECT count(*) FROM task_token AS k WHERE k.agent_id = a.id)
    FROM agent AS a LEFT JOIN agent_runtime AS r ON r.id = a.runtime_id WHERE a.name LIKE 'builder%' ORDER BY a.name";

/// The hours that the server will sum up again, by runtime and agent.
const DIRTY: &str = "
    SELECT r.label, a.name, count(*)
    FROM task_usage_hourly_dirty AS d
    JOIN agent AS a ON a.id = d.agent_id
    JOIN (SELECT md5('runtime ' || label)::uuid AS id, label FROM unnest(ARRAY['online', 'offline', 'renamed']) AS label)
        AS r ON r.id = d.runtime_id
    WHERE a.name LIKE 'builder%'
    GROUP BY r.label, a.name ORDER BY r.label, a.name";

/// A runtime has at most one system agent of an owner and key. The work of the second one goes to the first, and what it
/// used is counted for the first.
fn merge_joins_system_agents_of_same_key(context: &Context) -> Result<()> {
    on_generations(context, &["system_agents"], |client, _| {
        make_work_of_builder(client, "agent builder renamed")?;
        client.batch_execute("DELETE FROM task_usage_hourly_dirty")?;
        expect(client, REGISTER, "1 0")?;
        expect(client, BUILDERS, "builder online online t f working 2 1 1\nbuilder renamed online f t idle 0 0 0")?;
        expect(
            client,
            DIRTY,
            "offline builder online 1\noffline builder renamed 1\nonline builder online 1\nrenamed builder renamed 1",
        )?;
        expect(
            client,
            "SELECT count(*) FROM multica_events() WHERE type = 'agent:status'
             AND (payload->'agent'->>'id')::uuid IN (md5('agent builder online')::uuid, md5('agent builder renamed')::uuid)",
            "2",
        )
    })
}

/// The user has archived one of the two agents, because it should not work any more. It keeps what it did, and the other
/// one keeps the key.
fn archived_system_agent_gets_and_gives_no_work(context: &Context) -> Result<()> {
    let archive = |name: &str| format!("UPDATE agent SET archived_at = now() WHERE name = '{name}'");
    on_generations(context, &["system_agents"], |client, _| {
        make_work_of_builder(client, "agent builder renamed")?;
        for (archived, expected) in [
            ("builder online", "builder online online f t idle 0 0 0\nbuilder renamed online t f idle 2 1 1"),
            ("builder renamed", "builder online online t f idle 0 0 0\nbuilder renamed online f t idle 2 1 1"),
        ] {
            client.batch_execute(&format!("BEGIN; {}", archive(archived)))?;
            expect(client, REGISTER, "1 0")?;
            expect(client, BUILDERS, expected)?;
            client.batch_execute("ROLLBACK")?;
        }
        // If both are archived, the agent that is there keeps the key.
        client.batch_execute(&format!("{}; {}", archive("builder online"), archive("builder renamed")))?;
        expect(client, REGISTER, "1 0")?;
        expect(client, BUILDERS, "builder online online t t idle 0 0 0\nbuilder renamed online f t idle 2 1 1")
    })
}

/// Both system agents have a pending task of one issue, so that one agent cannot have both. The runtimes stay apart, and
/// the daemon is registered.
fn system_agents_with_tasks_of_one_issue_stay_apart(context: &Context) -> Result<()> {
    on_generations(context, &["system_agents"], |client, _| {
        client.batch_execute(
            "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id)
             SELECT id, runtime_id, md5('issue is a plan')::uuid FROM agent WHERE name LIKE 'builder%'",
        )?;
        expect(client, REGISTER, "0 1")?;
        let apart = "builder online online t f idle 1 0 0\nbuilder renamed renamed t f idle 1 0 0";
        expect(client, BUILDERS, apart)?;
        let reassign = "multica_reassign_agents(md5('runtime renamed')::uuid, md5('runtime online')::uuid)";
        expect(client, &format!("SELECT {reassign}"), "1")?;
        expect(client, BUILDERS, apart)
    })
}

/// An application that merges by itself moves the agents first, and then the tasks.
fn reassigned_agents_leave_no_key_twice(context: &Context) -> Result<()> {
    on_generations(context, &["system_agents"], |client, _| {
        make_work_of_builder(client, "agent builder renamed")?;
        let both = "(md5('runtime renamed')::uuid, md5('runtime online')::uuid)";
        expect(client, &format!("SELECT multica_reassign_agents{both}"), "2")?;
        expect(client, BUILDERS, "builder online online t f working 2 1 1\nbuilder renamed online f t idle 0 0 0")?;
        expect(client, &format!("SELECT multica_reassign_tasks{both}"), "2")?;
        expect(client, "SELECT count(*) FROM agent_task_queue WHERE runtime_id = md5('runtime renamed')::uuid", "0")
    })
}

/// A chat session can be resumed only on the runtime that it refers to.
fn merge_keeps_chats_resumable(context: &Context) -> Result<()> {
    on_generations(context, &["chat_runtime"], |client, _| {
        client.batch_execute(
            "UPDATE chat_session SET runtime_id = md5('runtime renamed')::uuid WHERE id = md5('chat archived')::uuid",
        )?;
        expect(client, REGISTER, "1 0")?;
        expect(
            client,
            "SELECT session_id, runtime_id = md5('runtime online')::uuid
             FROM chat_session WHERE id = md5('chat archived')::uuid",
            "session of archived chat t",
        )
    })
}

/// The daemon registers under a new name, with nothing but its name.
const REGISTER_NEW: &str = "SELECT inserted, merged FROM multica_register(md5('workspace 1')::uuid, '{
    \"daemon_id\": \"machine-new\", \"legacy_daemon_ids\": [\"machine-renamed.local\"], \"runtimes\": [{\"type\": \"claude\"}]
}')";

/// The runtime that replaces others gets the owner, the metadata, the name and the visibility of these if it has none.
fn merge_keeps_what_users_set(context: &Context) -> Result<()> {
    let merged = "FROM agent_runtime WHERE daemon_id = 'machine-new'";
    on_generations(context, &[], |client, _| {
        expect(client, REGISTER_NEW, "t 1")?;
        expect(
            client,
            &format!("SELECT owner_id = md5('user 1')::uuid, legacy_daemon_id {merged}"),
            "t machine-renamed.local",
        )
    })?;
    on_generations(context, &["visibility"], |client, _| {
        client
            .batch_execute("UPDATE agent_runtime SET visibility = 'public' WHERE id = md5('runtime renamed')::uuid")?;
        expect(client, REGISTER_NEW, "t 1")?;
        expect(client, &format!("SELECT visibility {merged}"), "public")
    })?;
    on_generations(context, &["custom_name"], |client, _| {
        client.batch_execute(
            "UPDATE agent_runtime SET custom_name = 'Lab', metadata = '{\"version\": \"1\", \"offline_reason\": {}}'
             WHERE id = md5('runtime renamed')::uuid;
             INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider)
             VALUES (md5('new')::uuid, md5('workspace 1')::uuid, 'machine-new', 'new', 'local', 'claude')",
        )?;
        expect(
            client,
            "SELECT merged FROM multica_merge_legacy(
                 md5('workspace 1')::uuid, 'claude', 'machine-renamed.local', md5('new')::uuid)",
            "1",
        )?;
        expect(client, &format!("SELECT custom_name, metadata {merged}"), "Lab {\"version\": \"1\"}")
    })
}

/// A runtime that has been there for longer is private because its owner wants it.
fn merge_does_not_share_private_runtime(context: &Context) -> Result<()> {
    on_generations(context, &["visibility"], |client, _| {
        client.batch_execute(
            "UPDATE agent_runtime SET visibility = 'public' WHERE id = md5('runtime renamed')::uuid;
             UPDATE agent_runtime SET updated_at = now() WHERE id = md5('runtime online')::uuid",
        )?;
        expect(client, REGISTER, "1 0")?;
        expect(client, "SELECT visibility FROM agent_runtime WHERE id = md5('runtime online')::uuid", "private")
    })
}

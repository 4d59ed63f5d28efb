//! What a claim writes and reads, with and without tasks.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::server_consequences::insert_work;
use super::support::{expect, expect_state, id, team, value};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    "claim": claim_counts_as_heartbeat,
    claim_returns_at_most_max_tasks,
    idle_claim_writes_nothing,
    claim_cost_does_not_grow_with_history,
    claim_does_not_read_whole_queue,
    claim_does_not_read_tasks_of_other_runtimes,
];

/// Returns the value that EXPLAIN (ANALYZE, BUFFERS, WAL) reports for a claim under this key.
fn explained(client: &mut Client, key: &str) -> Result<i64> {
    explained_of(client, &id("b1"), key)
}

/// As [`explained`], for a claim of this runtime.
fn explained_of(client: &mut Client, runtime: &str, key: &str) -> Result<i64> {
    let sql = format!("EXPLAIN (ANALYZE, BUFFERS, WAL, FORMAT JSON) SELECT * FROM multica_claim({runtime})");
    let row = client.query_one(&sql, &[])?;
    let plan: serde_json::Value = row.get(0);
    plan[0]["Plan"][key].as_i64().with_context(|| format!("no {key} in {plan}"))
}

/// Blocks that a claim reads in a session that has cached its plans: with an empty queue, with a task without an issue,
/// and with a chat turn.
fn blocks(client: &mut Client) -> Result<[i64; 3]> {
    client.batch_execute("VACUUM ANALYZE agent_task_queue")?;
    let mut found = [0; 3];
    let turn = format!("SELECT FROM multica_enqueue_chat({})", id("51"));
    for (at, before) in ["SELECT", "SELECT task('e1')", &turn].iter().enumerate() {
        for _ in 0..8 {
            client.batch_execute("DELETE FROM agent_task_queue WHERE status <> 'completed'")?;
            client.batch_execute(before)?;
            found[at] = explained(client, "Shared Hit Blocks")? + explained(client, "Shared Read Blocks")?;
        }
    }
    Ok(found)
}

fn claim_counts_as_heartbeat(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let claim = format!("SELECT FROM multica_claim({})", id("b1"));
    let seen = format!(
        "SELECT status, last_seen_at > now() - interval '5 seconds' FROM agent_runtime WHERE id = {}",
        id("b1")
    );
    let silent = |client: &mut Client, secs: i32| {
        client.batch_execute(&format!("UPDATE agent_runtime SET last_seen_at = now() - interval '{secs} seconds'"))
    };
    // A claim writes last_seen_at only if it is older than a third of multica.stale_after, which is 45 seconds.
    silent(&mut client, 13)?;
    client.batch_execute(&claim)?;
    expect(&mut client, &seen, "online f")?;
    silent(&mut client, 17)?;
    client.batch_execute(&claim)?;
    expect(&mut client, &seen, "online t")?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log", "0")?;
    client.batch_execute("UPDATE agent_runtime SET status = 'offline'")?;
    client.batch_execute(&claim)?;
    expect(&mut client, &seen, "online t")?;
    client.batch_execute("UPDATE agent_runtime SET last_seen_at = NULL; SELECT task('e1')")?;
    client.batch_execute(&claim)?;
    expect(&mut client, &seen, "online t")?;
    expect(
        &mut client,
        "SELECT type, payload ->> 'action', payload -> 'runtime_ids' ->> 0 FROM multica_event_log WHERE type = 'daemon:register'",
        &format!("daemon:register online {}", id("b1").trim_matches('\'')),
    )
}

fn claim_returns_at_most_max_tasks(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "UPDATE agent SET max_concurrent_tasks = 500;
         INSERT INTO agent_task_queue (agent_id, runtime_id, context)
         SELECT a.id, a.runtime_id, '{}' FROM agent AS a, generate_series(1, 70) WHERE a.name IN ('Ada', 'Bo')",
    )?;
    let many = |client: &mut Client, most: &str| {
        value(client, &format!("SELECT count(*) FROM multica_claim({}, {most})", id("b1")))
    };
    expect_state(&mut client, &format!("SELECT FROM multica_claim({}, -1)", id("b1")), "22023")?;
    expect_state(&mut client, &format!("SELECT FROM multica_claim({}, NULL)", id("b1")), "22004")?;
    for (most, expected) in [("0", "0"), ("7", "7"), ("2147483647", "100"), ("101", "33")] {
        let found = many(&mut client, most)?;
        ensure!(found == expected, "with max_tasks {most} the claim returns {found} tasks");
    }
    Ok(())
}

fn idle_claim_writes_nothing(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    // No task can be claimed: one agent has max_concurrent_tasks in flight, the other is archived.
    client.batch_execute(
        "SELECT task('e1', 'b1', 'c1', 'running'), task('e2'), task('e3', 'b1', 'c2');
         UPDATE agent SET max_concurrent_tasks = 1;
         UPDATE agent SET archived_at = now() WHERE name = 'Bo'",
    )?;
    explained(&mut client, "WAL Records")?;
    let records = explained(&mut client, "WAL Records")?;
    ensure!(records == 0, "an idle claim writes {records} WAL records");
    let mut transaction = client.transaction()?;
    transaction.batch_execute(&format!("SELECT FROM multica_claim({}, 10)", id("b1")))?;
    let assigned: Option<String> = transaction.query_one("SELECT pg_current_xact_id_if_assigned()::text", &[])?.get(0);
    ensure!(assigned.is_none(), "an idle claim assigns transaction id {assigned:?}");
    Ok(())
}

fn claim_cost_does_not_grow_with_history(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let mut found = Vec::new();
    for more in [3_000, 60_000] {
        // Half of the tasks are in one chat, each with a session that a later turn could resume.
        client.batch_execute(&format!(
            "INSERT INTO agent_task_queue (agent_id, runtime_id, context, status, dispatched_at, started_at, completed_at,
                 chat_session_id, session_id)
             SELECT a.id, a.runtime_id, '{{}}', 'completed', now(), now(), now() + make_interval(secs => g),
                 CASE WHEN g % 2 = 0 THEN {}::uuid END, 'session'
             FROM agent AS a, generate_series(1, {more}) AS g WHERE a.name = 'Ada'",
            id("51")
        ))?;
        found.push(blocks(&mut client)?);
    }
    // An index may have one more level; a scan of the history would read hundreds of blocks.
    let grew = found[0].iter().zip(found[1]).any(|(young, old)| old > young + 60);
    ensure!(
        !grew,
        "blocks read with an empty queue, with a task, with a turn: {:?} after 3,000 tasks, {:?} after 63,000",
        found[0],
        found[1]
    );
    Ok(())
}

/// Statistics that are older than the queue make the planner estimate that no task is queued.
fn claim_does_not_read_whole_queue(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "ALTER TABLE agent_task_queue SET (autovacuum_enabled = off);
         INSERT INTO agent_task_queue (agent_id, runtime_id, context, status, dispatched_at, started_at, completed_at)
         SELECT a.id, a.runtime_id, '{}', 'completed', now(), now(), now()
         FROM agent AS a, generate_series(1, 5000) WHERE a.name = 'Ada';
         ANALYZE agent_task_queue;
         INSERT INTO agent_task_queue (agent_id, runtime_id, context)
         SELECT a.id, a.runtime_id, '{}' FROM agent AS a, generate_series(1, 20000) WHERE a.name = 'Ada'",
    )?;
    explained(&mut client, "Shared Hit Blocks")?;
    let read = explained(&mut client, "Shared Hit Blocks")?;
    ensure!(read < 300, "a claim from a queue of 20,000 reads {read} blocks");
    Ok(())
}

/// Other runtimes have 100,000 queued and 100,000 deferred tasks, in tables of this version's making and in those of the
/// newest server.
fn claim_does_not_read_tasks_of_other_runtimes(context: &Context) -> Result<()> {
    let (_team, mut of_team) = team(context)?;
    let server = context.installed_generation("397")?;
    let mut of_server = server.connect()?;
    insert_work(context, &mut of_server)?;
    let of_fixture = "md5('agent x')::uuid, md5('runtime x')::uuid";
    for (client, runtime, pair) in [
        (&mut of_team, id("b1"), format!("{}, {}", id("c1"), id("b1"))),
        (&mut of_server, "md5('runtime x')::uuid".into(), of_fixture.into()),
    ] {
        let queue = format!("INSERT INTO agent_task_queue (agent_id, runtime_id) VALUES ({pair})");
        let blocks = |client: &mut Client| -> Result<[i64; 2]> {
            let mut found = [0; 2];
            for _ in 0..8 {
                for (at, before) in ["SELECT", &queue].iter().enumerate() {
                    client.batch_execute(
                        "DELETE FROM agent_task_queue WHERE issue_id IS NULL AND chat_session_id IS NULL AND status = 'dispatched'",
                    )?;
                    client.batch_execute(before)?;
                    found[at] = explained_of(client, &runtime, "Shared Hit Blocks")?;
                }
            }
            Ok(found)
        };
        let alone = blocks(client)?;
        client.batch_execute(&format!(
            "WITH machine AS (
                 INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
                 SELECT r.workspace_id, 'other ' || n, 'other', 'local', 'claude', 'online', now()
                 FROM agent_runtime AS r, generate_series(1, 100) AS n WHERE r.id = {runtime} RETURNING id, workspace_id, daemon_id
             ),
             other AS (
                 INSERT INTO agent (workspace_id, name, runtime_mode, runtime_id)
                 SELECT m.workspace_id, m.daemon_id, 'local', m.id FROM machine AS m RETURNING id, runtime_id
             )
             INSERT INTO agent_task_queue (agent_id, runtime_id, status, fire_at, context)
             SELECT o.id, o.runtime_id, s, CASE s WHEN 'deferred' THEN now() + interval '1 day' END, '{{}}'
             FROM other AS o, generate_series(1, 1000), unnest(ARRAY['queued', 'deferred']) AS s;
             ANALYZE"
        ))?;
        let beside = blocks(client)?;
        let grew = alone.iter().zip(beside).any(|(alone, beside)| beside > alone + 40);
        ensure!(
            !grew,
            "blocks read with an empty queue and with a task: {alone:?} alone, {beside:?} beside 200,000 tasks"
        );
    }
    Ok(())
}

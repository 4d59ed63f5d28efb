//! Runs that go on in the tables of servers.

use anyhow::{Context as _, Result, bail, ensure};
use postgres::Client;

use super::Run;
use super::refused::word;
use crate::context::Context;
use crate::suites::cases::on_generations;
use crate::suites::server_consequences::insert_work;
use crate::suites::support::{expect, value, values};

/// What a run has stored, in columns that only some tables have: column, value.
const OF_THE_RUN: [(&str, &str); 5] = [
    ("delivered_comment_ids", "ARRAY[md5('comment of the run')::uuid]"),
    ("branch_name", "'branch'"),
    ("durable_work_dir", "'/kept'"),
    ("retired_session_id", "'session of before'"),
    ("session_rollout_missing", "true"),
];

/// Inserts a running task x and a running turn, whose machine is then silent for long enough. Returns the runs.
fn asleep(context: &Context, client: &mut Client) -> Result<[Run; 2]> {
    insert_work(context, client)?;
    let columns = values(
        client,
        "SELECT attname FROM pg_attribute WHERE attrelid = 'agent_task_queue'::regclass AND attnum > 0 AND NOT attisdropped",
    )?;
    for (column, value) in OF_THE_RUN.iter().filter(|(column, _)| columns.iter().any(|it| it == column)) {
        client
            .batch_execute(&format!("UPDATE agent_task_queue SET {column} = {value} WHERE id = md5('task x')::uuid"))?;
    }
    client.batch_execute(
        "UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '4 hours' WHERE id = md5('runtime x')::uuid;
         SELECT FROM multica_fail_tasks_for_offline_runtimes()",
    )?;
    let run = |label: &str| -> String {
        format!(
            "SELECT id, (EXTRACT(EPOCH FROM dispatched_at) * 1000000)::bigint FROM agent_task_queue
             WHERE id = md5('task {label}')::uuid AND status = 'failed'"
        )
    };
    let mut runs = Vec::new();
    for label in ["x", "turn"] {
        let row = value(client, &run(label))?;
        let (task, token) = row.split_once(' ').context("a failed task")?;
        runs.push(Run { task: format!("'{task}'"), token: token.into() });
    }
    runs.try_into().ok().context("two runs")
}

/// The retry is deferred until its runtime is there, or queued where the tables have no such status.
pub fn run_goes_on_in_tables_of_servers(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        let [late, turn] = asleep(context, client)?;
        let waiting =
            value(client, &format!("SELECT status FROM agent_task_queue WHERE parent_task_id = {}", late.task))?;
        ensure!(["queued", "deferred"].contains(&waiting.as_str()), "{waiting}");
        // A late result is kept while the runtime is still offline.
        client.batch_execute("BEGIN")?;
        expect(client, &format!("SELECT attempt, status, applied FROM {}", late.complete()), "2 completed t")?;
        expect(client, &format!("SELECT attempt, status, applied FROM {}", turn.complete()), "2 completed t")?;
        expect(client, "SELECT session_id FROM chat_session WHERE id = md5('chat x')::uuid", "session turn")?;
        client.batch_execute("ROLLBACK")?;
        let beat = format!(
            "SELECT resume_task_ids = ARRAY[{}::uuid, {}] FROM multica_heartbeat(md5('runtime x')::uuid, ARRAY[{}, {}]::uuid[])",
            late.task, turn.task, late.task, turn.task
        );
        expect(client, &beat, "t")?;
        expect(
            client,
            &format!("SELECT attempt, status, session_id FROM {}", turn.resume()),
            "2 running session turn",
        )?;
        expect(client, &format!("SELECT attempt, status FROM {}", late.resume()), "2 running")?;
        let same = format!(
            "SELECT o.key FROM agent_task_queue AS f JOIN agent_task_queue AS r ON r.parent_task_id = f.id,
                 jsonb_each(to_jsonb(f)) AS o
             WHERE f.id = {} AND o.value IS DISTINCT FROM to_jsonb(r) -> o.key
                 AND o.key IN ('session_id', 'work_dir', 'delivered_comment_ids', 'branch_name', 'durable_work_dir',
                     'retired_session_id', 'session_rollout_missing', 'wait_reason', 'prepare_lease_expires_at')",
            late.task
        );
        expect(client, &same, "")?;
        expect(client, &format!("SELECT attempt, status FROM {}", late.complete()), "2 completed")?;
        expect(client, &format!("SELECT attempt, status, applied FROM {}", late.complete()), "2 completed f")
    })
}

/// An agent has one task in flight that belongs to nothing.
pub fn bare_task_goes_on_alone(context: &Context) -> Result<()> {
    on_generations(context, &["redis_era"], |client, _| {
        insert_work(context, client)?;
        let bare = |label: &str| {
            format!(
                "INSERT INTO agent_task_queue (id, agent_id, runtime_id, status, context, created_at, dispatched_at, started_at)
                 VALUES (md5('{label}')::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, 'running', '{{}}', now(),
                     '2026-01-01Z', now())"
            )
        };
        client.batch_execute(&format!(
            "{}; UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '4 hours' WHERE id = md5('runtime x')::uuid;
             SELECT FROM multica_fail_tasks_for_offline_runtimes(); {}",
            bare("late"),
            bare("other")
        ))?;
        let late =
            Run { task: value(client, "SELECT quote_literal(md5('late')::uuid)")?, token: "1767225600000000".into() };
        let beat = format!(
            "SELECT cardinality(resume_task_ids) FROM multica_heartbeat(md5('runtime x')::uuid, ARRAY[{}]::uuid[])",
            late.task
        );
        expect(client, &beat, "0")?;
        let Err(error) = client.batch_execute(&format!("SELECT FROM {}", late.resume())) else {
            bail!("it is resumed")
        };
        ensure!(word(&error) == "final", "{error:?}");
        client.batch_execute(
            "UPDATE agent_task_queue SET status = 'completed', completed_at = now() WHERE id = md5('other')::uuid",
        )?;
        expect(client, &beat, "1")?;
        expect(client, &format!("SELECT attempt, status FROM {}", late.resume()), "2 running")
    })
}

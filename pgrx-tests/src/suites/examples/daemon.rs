//! The example daemon is killed and restarted, stops a cancelled task, and deregisters on SIGTERM.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, ensure};
use postgres::Client;

use super::process::{Example, Program};
use crate::cluster::{Cluster, PORT};
use crate::context::Context;
use crate::suites::grant::holder;
use crate::suites::support::{LIMIT, expect, value};

/// An agent that runs until it is killed in a new directory, and finishes in a directory where it ran before. A slow one
/// runs until it finds the file `finish`.
const AGENT: &str = r#"#!/bin/sh
    case "$TASK" in *impossible*) echo "tried"; echo "cannot be done" >&2; exit 3;; *binary*) printf 'a\000b\377'; exit;;
    *slow*) echo $$ > pid; touch before; until [ -e finish ]; do sleep 0.1; done; echo finished; exit;; esac
    if [ -e before ]; then echo "resumed $SESSION_ID"; else echo $$ > pid; touch before; exec sleep 600; fi"#;

/// The daemon recovers its orphans, resumes in a directory that was deleted, stops a cancelled task, reports a failure,
/// accepts output that is not text, goes on with its run after its machine has slept and after it has lost its connection,
/// and deregisters although SIGTERM arrives during a call. Its role has only the capability `daemon`.
pub fn daemon_resumes_stops_and_deregisters(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let role = holder(&database, "daemon")?;
    let mut client = database.connect()?;
    let workspace = value(&mut client, "INSERT INTO workspace (name, slug) VALUES ('Acme', 'acme') RETURNING id")?;
    let url = format!(
        "host={} port={PORT} user={role} dbname={}",
        database.cluster().socket_folder().display(),
        database.name
    );
    let example = Example::copy(context, "daemon.py")?;
    let agent = example.folder.join("agent");
    std::fs::write(&agent, AGENT)?;
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755))?;
    let start = || {
        let environment = [("DATABASE_URL", url.as_str()), ("POLL_SECONDS", "0.05")];
        example.start(&[&workspace, "./agent"], &environment)
    };

    let mut daemon = start()?;
    await_value(&mut client, "SELECT count(*) FROM agent_runtime WHERE status = 'online'", "1")?;
    client.batch_execute(
        "INSERT INTO agent (workspace_id, name, runtime_id) SELECT workspace_id, 'Ada', id FROM agent_runtime;
         INSERT INTO issue (workspace_id, title, status, assignee_type, assignee_id, creator_type, creator_id)
         SELECT workspace_id, 'Fix the login', 'in_progress', 'agent', id, 'agent', id FROM agent;
         SELECT FROM issue, multica_enqueue_issue(issue.id)",
    )?;
    let pid = agent_of(&mut client, "issue_id IS NOT NULL")?;
    daemon.kill()?;
    await_end(&pid)?;
    let mut daemon = start()?;
    await_value(
        &mut client,
        "SELECT string_agg(status || ' ' || attempt, ', ' ORDER BY attempt) FROM agent_task_queue",
        "failed 1, completed 2",
    )?;
    expect(
        &mut client,
        "SELECT a.failure_reason, b.work_dir = a.work_dir, b.session_id = a.id::text,
             b.result ->> 'output' = format(E'resumed %s\\n', a.id)
         FROM agent_task_queue AS a JOIN agent_task_queue AS b ON b.parent_task_id = a.id",
        "runtime_recovery t t t",
    )?;

    client.batch_execute("SELECT FROM agent, multica_enqueue(agent.id)")?;
    let pid = agent_of(&mut client, "issue_id IS NULL AND status = 'running'")?;
    client.batch_execute("SELECT FROM agent_task_queue AS t, multica_cancel(t.id) WHERE t.status = 'running'")?;
    await_end(&pid)?;

    client.batch_execute("SELECT FROM agent, multica_enqueue(agent.id, '{\"wish\": \"impossible\"}')")?;
    await_value(
        &mut client,
        "SELECT rtrim(error, E'\\n') FROM agent_task_queue WHERE context ? 'wish' AND status = 'failed'",
        "cannot be done",
    )?;

    let gone = context.project.work.join("output/gone");
    client.batch_execute(&format!(
        "SELECT FROM agent, multica_enqueue(agent.id, '{{\"wish\": \"binary\"}}');
         UPDATE agent_task_queue SET session_id = 'moved', work_dir = '{}' WHERE context ->> 'wish' = 'binary'",
        gone.display()
    ))?;
    await_value(
        &mut client,
        "SELECT session_id, result ->> 'output' FROM agent_task_queue
         WHERE context ->> 'wish' = 'binary' AND status = 'completed'",
        "moved ab\u{fffd}",
    )?;
    std::fs::remove_dir(gone)?;

    sleeps_and_goes_on(&mut client, &daemon)?;
    loses_its_connection_and_goes_on(&mut client, &role)?;

    ensure!(daemon.runs()?, "the daemon has ended by itself");
    client.batch_execute("BEGIN; SELECT FROM agent_runtime FOR UPDATE")?;
    let mut observer = database.connect()?;
    await_value(
        &mut observer,
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%multica_heartbeat%'",
        "1",
    )?;
    daemon.terminate()?;
    client.batch_execute("COMMIT")?;
    let status = daemon.wait()?;
    ensure!(status.success(), "the daemon ended with {status}");
    expect(&mut client, "SELECT status FROM agent_runtime", "offline")
}

/// The machine sleeps, and a sweep fails its task. Then its agent, the same process, finishes the retry.
fn sleeps_and_goes_on(client: &mut Client, daemon: &Program) -> Result<()> {
    client.batch_execute("SELECT FROM agent, multica_enqueue(agent.id, '{\"wish\": \"slow\"}')")?;
    let pid = agent_of(client, "NOT context ? 'connection' AND context ->> 'wish' = 'slow'")?;
    let story = "SELECT string_agg(status || ' ' || attempt, ', ' ORDER BY attempt) FROM agent_task_queue WHERE NOT context ? 'connection' AND context ->> 'wish' = 'slow'";
    daemon.pause()?;
    // A heartbeat may still be on its way.
    Cluster::wait_until("a sweep fails the task", LIMIT, || {
        client.batch_execute(
            "UPDATE agent_runtime SET last_seen_at = now() - interval '1 hour'; SELECT FROM multica_sweep()",
        )?;
        Ok(value(client, story)? == "failed 1, queued 2")
    })?;
    daemon.go_on()?;
    await_value(client, story, "failed 1, running 2")?;
    let place = value(
        client,
        "SELECT work_dir FROM agent_task_queue WHERE NOT context ? 'connection' AND context ->> 'wish' = 'slow' AND attempt = 2",
    )?;
    ensure!(
        agent_of(client, "NOT context ? 'connection' AND context ->> 'wish' = 'slow'")? == pid,
        "another agent works"
    );
    std::fs::write(Path::new(&place).join("finish"), "")?;
    await_value(client, story, "failed 1, completed 2")?;
    expect(
        client,
        "SELECT rtrim(result ->> 'output', E'\\n') FROM agent_task_queue WHERE NOT context ? 'connection' AND context ->> 'wish' = 'slow' AND attempt = 2",
        "finished",
    )
}

/// The connection of the daemon ends. Its agent goes on, and the daemon reports its end over a new connection.
fn loses_its_connection_and_goes_on(client: &mut Client, role: &str) -> Result<()> {
    client.batch_execute(
        "SELECT FROM agent, multica_enqueue(agent.id, '{\"wish\": \"slow\", \"connection\": \"lost\"}')",
    )?;
    let which = "context ? 'connection'";
    let pid = agent_of(client, which)?;
    let place = value(client, &format!("SELECT work_dir FROM agent_task_queue WHERE {which}"))?;
    let ended = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{role}'");
    expect(client, &ended, "1")?;
    ensure!(agent_of(client, which)? == pid, "another agent works");
    std::fs::write(Path::new(&place).join("finish"), "")?;
    let story = format!("SELECT string_agg(status || ' ' || attempt, ', ') FROM agent_task_queue WHERE {which}");
    await_value(client, &story, "completed 1")
}

fn await_value(client: &mut Client, sql: &str, expected: &str) -> Result<()> {
    Cluster::wait_until(sql, LIMIT, || Ok(value(client, sql)? == expected))
}

/// The process that works on the running task.
fn agent_of(client: &mut Client, which: &str) -> Result<String> {
    let mut pid = String::new();
    let sql = format!("SELECT work_dir FROM agent_task_queue WHERE status = 'running' AND {which}");
    Cluster::wait_until("an agent works", LIMIT, || {
        let place = value(client, &sql)?;
        let place = Path::new(&place);
        pid = std::fs::read_to_string(place.join("pid")).unwrap_or_default().trim().to_string();
        Ok(place.join("before").exists() && !pid.is_empty())
    })?;
    Ok(pid)
}

/// Waits until a process has ended; a zombie has ended.
fn await_end(pid: &str) -> Result<()> {
    Cluster::wait_until(&format!("the agent, process {pid}, has ended"), LIMIT, || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        Ok(stat.is_empty() || stat.contains(") Z "))
    })
}

//! The example application server is killed at random moments, and a client repeats its requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use postgres::Client;

use super::process::{Example, Program, random};
use crate::cluster::{Cluster, PORT, SUPERUSER};
use crate::context::Context;
use crate::database::Database;
use crate::pooler::{POOLED_PORT, Pooler};
use crate::suites::grant::holder;
use crate::suites::support::{LIMIT, expect, value, values};

/// The number of kills.
const KILLS: usize = 6;

/// Each event is applied once and each completed task has one comment, whenever the server is killed.
pub fn killed_app_server_applies_each_event_once(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let role = holder(&database, "operator")?;
    let mut client = database.connect()?;
    client.batch_execute(&format!(
        "CREATE SCHEMA AUTHORIZATION {role}; SET search_path = public, {role};
         GRANT SELECT ON issue TO {role}; GRANT INSERT ON comment TO {role};
         WITH w AS (INSERT INTO workspace (name, slug) VALUES ('Acme', 'acme') RETURNING id)
         INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT id, 'machine', 'claude', 'local', 'claude', 'online', now() FROM w;
         INSERT INTO agent (workspace_id, name, runtime_id, max_concurrent_tasks)
         SELECT workspace_id, 'Ada', id, 1000 FROM agent_runtime;
         INSERT INTO issue (workspace_id, title, status, assignee_type, assignee_id, creator_type, creator_id)
         SELECT workspace_id, 'Issue ' || n, 'in_progress', 'agent', id, 'agent', id
         FROM agent, generate_series(1, 3) AS n"
    ))?;
    let pooler = Pooler::start(&context.project, database.cluster(), &[SUPERUSER, &role])?;
    let state = State::default();
    std::thread::scope(|scope| -> Result<()> {
        let work = scope.spawn(|| work_until(&database, &state));
        let killed = kill_and_start(context, &database, &role, &state);
        // The client must also stop if the server could not be started.
        state.enough.store(true, Ordering::Release);
        let worked = work.join();
        worked.map_err(|_| anyhow::anyhow!("the client panicked"))??;
        let mut server = killed?;
        let missing = "SELECT count(*) FROM multica_event_log AS e
                      WHERE NOT EXISTS (SELECT FROM notification AS n WHERE n.event_id = e.id)";
        Cluster::wait_until("every event has been taken", LIMIT, || {
            ensure!(server.runs()?, "the server has ended by itself");
            Ok(value(&mut client, missing)? == "0")
        })
    })
    .map_err(|error| anyhow::anyhow!("{error:#}\nPgBouncer's log:\n{}", pooler.log()))?;
    let done = state.done.into_inner();
    expect(
        &mut client,
        "SELECT count(*) = count(DISTINCT event_id), count(*) = (SELECT count(*) FROM multica_event_log),
             (SELECT count(*) FROM agent_task_queue WHERE status = 'completed'),
             (SELECT count(*) FROM agent_task_queue), (SELECT count(*) FROM comment)
         FROM notification",
        &format!("t t {done} {done} {done}"),
    )
}

/// What the client and the thread that kills the server share.
#[derive(Default)]
struct State {
    /// The port that the server listens on.
    port: AtomicU16,
    /// Tasks done so far.
    done: AtomicUsize,
    /// The client may stop.
    enough: AtomicBool,
}

/// Starts the server, kills it, and starts it again; the last server is not killed. Between two kills at least one task
/// is completed, because otherwise a slow machine would kill each server before it serves a request.
fn kill_and_start(context: &Context, database: &Database, role: &str, state: &State) -> Result<Program> {
    let url = |port: u16| {
        let folder = database.cluster().socket_folder();
        format!("host={} port={port} user={role} dbname={}", folder.display(), database.name)
    };
    let (pooled, direct) = (url(POOLED_PORT), url(PORT));
    let environment = [("DATABASE_URL", pooled.as_str()), ("DIRECT_URL", direct.as_str()), ("PORT", "0")];
    let example = Example::copy(context, "app_server.py")?;
    let start = || -> Result<Program> {
        let mut server = example.start(&[], &environment)?;
        state.port.store(port_of(&mut server)?, Ordering::Release);
        Ok(server)
    };
    for _ in 0..KILLS {
        let before = state.done.load(Ordering::Acquire);
        let mut server = start()?;
        Cluster::wait_until("a task is done between two kills", LIMIT, || {
            Ok(state.done.load(Ordering::Acquire) > before)
        })?;
        std::thread::sleep(Duration::from_millis(random(100)));
        server.kill()?;
    }
    state.enough.store(true, Ordering::Release);
    start()
}

/// The port of a server that has just been started.
fn port_of(server: &mut Program) -> Result<u16> {
    let mut line = String::new();
    BufReader::new(server.output()?).read_line(&mut line)?;
    let port = line.trim().strip_prefix("listening on ");
    Ok(port.context("the server does not start")?.parse()?)
}

/// An invalid request gets its own HTTP status and an error message.
pub fn app_server_rejects_bad_requests(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let role = holder(&database, "operator")?;
    let grant = format!("CREATE SCHEMA AUTHORIZATION {role}");
    database.connect()?.batch_execute(&grant)?;
    let folder = database.cluster().socket_folder();
    let url = format!("host={} port={PORT} user={role} dbname={}", folder.display(), database.name);
    let environment = [("DATABASE_URL", url.as_str()), ("DIRECT_URL", url.as_str()), ("PORT", "0")];
    let example = Example::copy(context, "app_server.py")?;
    let mut server = example.start(&[], &environment)?;
    let port = port_of(&mut server)?;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let enqueue = format!("/enqueue/{unknown}");
    let complete = format!("/complete/{unknown}");
    for (path, body, expected) in [
        ("/", "", "404"),
        ("/nonsense/1", "", "404"),
        ("/enqueue", "", "400"),
        ("/enqueue/1", "", "400"),
        (&enqueue, "", "404"),
        (&complete, "", "400"),
        (&complete, "Done.", "400"),
        (&complete, "{}", "400"),
        (&complete, r#"{"output": 1}"#, "400"),
        (&complete, r#"{"output": "\u0000"}"#, "400"),
        (&complete, r#"{"output": "Done."}"#, "404"),
    ] {
        let answer = post(port, path, body)?;
        ensure!(
            answer.starts_with(&format!("HTTP/1.0 {expected} ")) && answer.contains("\"error\": \""),
            "{path} {body}: {answer:?}"
        );
    }
    Ok(())
}

/// Enqueues tasks over HTTP, claims them as a daemon, completes them over HTTP, and repeats requests without an answer.
fn work_until(database: &Database, state: &State) -> Result<()> {
    let mut daemon = database.connect()?;
    let issues = values(&mut daemon, "SELECT id FROM issue ORDER BY number")?;
    for issue in issues.iter().cycle() {
        if state.enough.load(Ordering::Acquire) {
            break;
        }
        post_until_answered(&state.port, &format!("/enqueue/{issue}"), "")?;
        let task = claim(&mut daemon)?;
        post_until_answered(&state.port, &format!("/complete/{task}"), r#"{"output": "Done."}"#)?;
        state.done.fetch_add(1, Ordering::Release);
    }
    Ok(())
}

fn claim(daemon: &mut Client) -> Result<String> {
    let task = value(daemon, "SELECT c.id FROM agent_runtime AS r, multica_claim(r.id) AS c")?;
    ensure!(!task.is_empty(), "an answered enqueue left nothing to claim");
    daemon.batch_execute(&format!("SELECT FROM multica_start('{task}')"))?;
    Ok(task)
}

fn post_until_answered(port: &AtomicU16, path: &str, body: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        match post(port.load(Ordering::Acquire), path, body) {
            Ok(answer) if answer.starts_with("HTTP/1.0 200") => return Ok(()),
            Ok(answer) if !answer.is_empty() => bail!("{path}: {answer}"),
            _ if started.elapsed() > LIMIT * 2 => bail!("{path}: no answer at all"),
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The server's answer; empty if the server was killed before it answered.
fn post(port: u16, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "POST {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

//! Sweeps of a backlog that is much larger than a batch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, Transaction};
use uuid::Uuid;

use super::super::support::{expect, value};
use super::{IN_FLIGHT, INCOMPLETE, orphans};
use crate::cluster::Options;
use crate::context::Context;
use crate::database::Database;

/// The limit of a backend's anonymous memory, which excludes shared buffers.
const MOST_MEMORY: u64 = 200 << 20;

/// Returns the bytes of resident anonymous memory of a process, or None if the system does not report them.
fn memory(pid: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes << 10)
}

/// Samples a backend's memory until `ended` is set, and returns the maximum.
fn most_memory(pid: i32, ended: &AtomicBool) -> u64 {
    let mut most = 0;
    while !ended.load(Ordering::Relaxed) {
        most = memory(pid).unwrap_or_default().max(most);
        std::thread::sleep(Duration::from_millis(20));
    }
    most
}

/// Two agents on online runtimes, one runtime per agent.
const LIVE: &str = "
    INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
    SELECT md5('live' || n)::uuid, md5('w')::uuid, 'live-' || n, 'r', 'local', 'claude', 'online', 'infinity' FROM generate_series(1, 2) AS n;
    INSERT INTO agent (id, workspace_id, name, runtime_id)
    SELECT md5('live' || n)::uuid, md5('w')::uuid, 'live-' || n, md5('live' || n)::uuid FROM generate_series(1, 2) AS n";

/// Enqueues, claims, starts and completes tasks until `ended` is set; returns the sorted durations of the rounds.
fn work_until_ended(database: &Database, name: &str, ended: &AtomicBool) -> Result<Vec<Duration>> {
    let mut client = database.connect()?;
    let id: Uuid = client.query_one("SELECT md5($1)::uuid", &[&name])?.get(0);
    let calls = [
        "SELECT FROM multica_enqueue($1)",
        "SELECT id FROM multica_claim($1)",
        "SELECT FROM multica_start($1)",
        "SELECT FROM multica_complete($1)",
    ];
    let calls = calls.map(|call| client.prepare(call));
    let [enqueue, claim, start, complete] = calls;
    let (enqueue, claim, start, complete) = (enqueue?, claim?, start?, complete?);
    let mut rounds = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let began = Instant::now();
        client.execute(&enqueue, &[&id])?;
        let task: Uuid = client.query_one(&claim, &[&id])?.get(0);
        client.execute(&start, &[&task])?;
        client.execute(&complete, &[&task])?;
        rounds.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    rounds.sort_unstable();
    Ok(rounds)
}

/// One CALL fails all tasks of a backlog and writes their consequences, in one transaction per batch and in little
/// memory. Calls of other sessions do not wait for the end of the CALL.
pub fn backlog_sweep_does_not_delay_live_calls(context: &Context) -> Result<()> {
    let options = Options::new("backlog").set("fsync", "on").set("shared_buffers", "256MB").set("max_wal_size", "8GB");
    let cluster = context.cluster(&options)?;
    let many = context.backlog;
    let database = orphans(context, &cluster, many)?;
    let mut client = database.connect()?;
    client.batch_execute(LIVE)?;
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let ended = AtomicBool::new(false);
    let (drain, most, rounds) = std::thread::scope(|scope| {
        let most = scope.spawn(|| most_memory(pid, &ended));
        let live_sessions = ["live1", "live2"].map(|name| {
            let (database, ended) = (&database, &ended);
            scope.spawn(move || work_until_ended(database, name, ended))
        });
        let began = Instant::now();
        let outcome = client.batch_execute("CALL multica_sweep_all()");
        let drain = began.elapsed();
        ended.store(true, Ordering::Relaxed);
        let mut rounds = Vec::new();
        for session in live_sessions {
            rounds.push(session.join().expect("a client does not panic")?);
        }
        outcome.context("CALL multica_sweep_all()")?;
        let most = most.join().expect("the watching thread does not panic");
        anyhow::Ok((drain, most, rounds))
    })?;
    print_report(&mut client, many, drain, most, &rounds)?;
    ensure!(most < MOST_MEMORY, "the backend used {} MB", most >> 20);
    for rounds in &rounds {
        let slowest = rounds.last().context("no session completed a round during the sweep")?;
        ensure!(*slowest < drain / 4, "a session waited for {slowest:?} while the sweep took {drain:?}");
    }
    expect(&mut client, IN_FLIGHT, "0")?;
    expect(
        &mut client,
        "SELECT count(*), count(DISTINCT payload ->> 'task_id'), max(many) <= 1000, count(DISTINCT xmin::text) = count(DISTINCT payload ->> 'sweep_id')
         FROM (
             SELECT xmin, payload, count(*) OVER (PARTITION BY payload ->> 'sweep_id') AS many
             FROM multica_event_log WHERE type = 'task:failed'
         ) AS e",
        &format!("{many} {many} t t"),
    )?;
    expect(&mut client, INCOMPLETE, "0")
}

/// Prints the time between the starts of two batches, and the number of tasks per second in each tenth of the sweep.
fn print_report(client: &mut Client, many: usize, drain: Duration, most: u64, rounds: &[Vec<Duration>]) -> Result<()> {
    let batches = "
        SELECT payload ->> 'sweep_id' AS sweep, created_at AS began, count(*) AS many,
            lead(created_at) OVER (ORDER BY created_at) - created_at AS took
        FROM multica_event_log WHERE type = 'task:failed' GROUP BY 1, 2";
    let batch = value(
        client,
        &format!(
            "SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM b.took)) * 1000),
                 round(max(extract(epoch FROM b.took)) * 1000)
             FROM ({batches}) AS b"
        ),
    )?;
    let rate = value(
        client,
        &format!(
            "SELECT string_agg(round(t.many / t.secs)::text, ', ' ORDER BY t.tenth)
             FROM (
                 SELECT b.tenth, sum(b.many) AS many, sum(extract(epoch FROM b.took)) AS secs
                 FROM (SELECT x.*, ntile(10) OVER (ORDER BY x.began) AS tenth FROM ({batches}) AS x) AS b GROUP BY b.tenth
             ) AS t"
        ),
    )?;
    let mut all: Vec<Duration> = rounds.iter().flatten().copied().collect();
    all.sort_unstable();
    let at = |share: usize| all[all.len() * share / 100];
    let (median, slowest) = batch.split_once(' ').context("two columns")?;
    println!(
        "      {many} tasks in {:.1} s with {} MB; a batch in {median} ms, the slowest in {slowest} ms;",
        drain.as_secs_f64(),
        most >> 20
    );
    println!("      tasks per second, in each tenth of the sweep: {rate};");
    println!(
        "      meanwhile {} rounds from enqueue to complete, half of them below {:?}, 99 % below {:?}, all below {:?}",
        all.len(),
        at(50),
        at(99),
        all.last().copied().unwrap_or_default()
    );
    Ok(())
}

/// Returns the number of index entries that a sweep reads, including dead entries.
fn entries_read_by_sweep(client: &mut Client, index: &str) -> Result<i64> {
    let mut transaction = client.transaction()?;
    let counter = format!("SELECT pg_stat_get_xact_tuples_returned('{index}'::regclass)");
    let count = |transaction: &mut Transaction| -> Result<i64> { Ok(transaction.query_one(&counter, &[])?.get(0)) };
    let before = count(&mut transaction)?;
    transaction.batch_execute("SELECT * FROM multica_sweep()")?;
    let after = count(&mut transaction)?;
    transaction.commit()?;
    Ok(after - before)
}

/// A batch does not read the dead index entries of earlier batches again, even while an old snapshot prevents vacuum
/// from removing them.
pub fn last_batch_costs_no_more_than_first(context: &Context) -> Result<()> {
    let cluster = context.cluster(&Options::new("batches").set("autovacuum", "off"))?;
    let database = orphans(context, &cluster, 5_000)?;
    let mut old_snapshot = database.connect()?;
    old_snapshot.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM agent")?;
    for (what, prepare) in [
        ("of offline runtimes", "SELECT 1"),
        (
            "that took too long",
            "UPDATE agent_runtime SET status = 'online', last_seen_at = 'infinity';
             UPDATE agent_task_queue SET status = 'running', completed_at = NULL, dispatched_at = dispatched_at - interval '1 day',
                 started_at = dispatched_at - interval '1 day'
             WHERE parent_task_id IS NULL",
        ),
        (
            "that were not started",
            "UPDATE agent_task_queue SET status = 'dispatched', completed_at = NULL, started_at = NULL
             WHERE parent_task_id IS NULL",
        ),
    ] {
        let mut client = database.connect()?;
        client.batch_execute("DELETE FROM agent_task_queue WHERE parent_task_id IS NOT NULL")?;
        client.batch_execute(prepare)?;
        client.batch_execute("SET multica.batch_size = 250")?;
        let mut cost = Vec::new();
        while value(&mut client, IN_FLIGHT)? != "0" {
            cost.push(entries_read_by_sweep(&mut client, "multica_task_in_flight_v2")?);
        }
        ensure!(cost.len() == 20, "{} batches", cost.len());
        // The first batch searches all tasks for times in the future. The last batch scans from the start again, for rows
        // that earlier batches skipped.
        let most = cost[1..19].iter().max().context("batches")?;
        ensure!(*most <= 4 * 250, "tasks {what}: batches read {cost:?} entries");
    }
    Ok(())
}

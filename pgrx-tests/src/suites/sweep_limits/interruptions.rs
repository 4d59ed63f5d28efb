//! What interrupts a sweep: rows that another session locked, the end of its budget, a cancel.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::super::support::{end_timeout, expect, start, value};
use super::{IN_FLIGHT, INCOMPLETE, orphans};
use crate::context::Context;

/// A client that is idle in its transaction holds locks on an agent with more tasks than a batch, a runtime, an issue
/// and a task: the sweep skips their tasks and fails all others.
pub fn locked_rows_delay_only_their_own_tasks(context: &Context) -> Result<()> {
    let cluster = context.shared()?;
    let database = orphans(context, cluster, 4000)?;
    let mut client = database.connect()?;
    client.batch_execute(
        "UPDATE agent_task_queue SET agent_id = md5('a0')::uuid
         WHERE id IN (SELECT md5('t' || n)::uuid FROM generate_series(0, 999) AS n WHERE n % 4 <> 0)",
    )?;
    let mut holder = database.connect()?;
    holder.batch_execute(
        "BEGIN;
         SELECT FROM agent WHERE id = md5('a0')::uuid FOR UPDATE;
         SELECT FROM agent_runtime WHERE id = md5('r20')::uuid FOR UPDATE;
         SELECT FROM issue WHERE id = md5('i750')::uuid FOR UPDATE;
         SELECT FROM agent_task_queue WHERE id = md5('t3500')::uuid FOR UPDATE",
    )?;
    client.batch_execute("SET multica.batch_size = 200; SET lock_timeout = '10s'")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(
        &mut client,
        "SELECT count(*) FILTER (WHERE agent_id = md5('a0')::uuid), count(*) FILTER (WHERE runtime_id = md5('r20')::uuid),
             count(*) FILTER (WHERE issue_id = md5('i750')::uuid), count(*) FILTER (WHERE id = md5('t3500')::uuid), count(*)
         FROM agent_task_queue WHERE status = 'running'",
        "752 100 1 1 854",
    )?;
    holder.batch_execute("ROLLBACK")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect(&mut client, IN_FLIGHT, "0")?;
    expect(&mut client, INCOMPLETE, "0")
}

/// statement_timeout and pg_cancel_backend stop a sweep early and late: the stopped batch is rolled back, and later
/// sweeps fail the remaining tasks.
pub fn cancelled_sweep_leaves_no_partial_batch(context: &Context) -> Result<()> {
    let database = orphans(context, context.shared()?, 3000)?;
    let mut client = database.connect()?;
    client.batch_execute("SET multica.batch_size = 500")?;
    let mut stopped = 0;
    for limit in 1.. {
        let before = value(&mut client, IN_FLIGHT)?;
        client.batch_execute(&format!("SET statement_timeout = {}", limit * limit))?;
        let outcome = client.batch_execute("SELECT * FROM multica_sweep()");
        end_timeout(&mut client, "SET statement_timeout = 0")?;
        expect(&mut client, INCOMPLETE, "0")?;
        let Err(error) = outcome else { break };
        let code = error.code().map_or("none", |code| code.code());
        ensure!(code == "57014", "a sweep ended with {code}: {error}");
        ensure!(before == value(&mut client, IN_FLIGHT)?, "a cancelled sweep left changes");
        stopped += 1;
    }
    ensure!(stopped > 3, "only {stopped} sweeps were cancelled");
    let mut delay = Duration::from_millis(5);
    while value(&mut client, IN_FLIGHT)? != "0" {
        let running = start(&database, "CALL multica_sweep_all()")?;
        std::thread::sleep(delay);
        client.query("SELECT pg_cancel_backend($1)", &[&running.pid])?;
        let cancelled_at = std::time::Instant::now();
        if let Err(error) = running.finish() {
            let code = error.code().map_or("none", |code| code.code());
            ensure!(code == "57014", "a sweep ended with {code}: {error}");
        }
        ensure!(cancelled_at.elapsed() < Duration::from_secs(2), "the sweep did not stop");
        expect(&mut client, INCOMPLETE, "0")?;
        delay = delay * 3 / 2;
    }
    Ok(())
}

/// With any budget a sweep fails some tasks. It returns `more` while tasks remain, and only then.
pub fn budget_below_one_batch_makes_progress(context: &Context) -> Result<()> {
    let database = orphans(context, context.shared()?, 2000)?;
    let mut client = database.connect()?;
    // There are more runtimes than a sweep can read within the budget.
    client.batch_execute(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT md5('w')::uuid, 'alive-' || n, 'r', 'local', 'claude', 'online', 'infinity' FROM generate_series(1, 20000) AS n;
         SET multica.sweep_budget = '1ms'",
    )?;
    let mut sweeps = 0;
    loop {
        let row = value(&mut client, "SELECT tasks_failed, more FROM multica_sweep()")?;
        let (failed, more) = row.split_once(' ').context("two columns")?;
        let failed: i64 = failed.parse()?;
        ensure!(failed < 1000, "the budget did not stop the sweep: it failed {failed} tasks");
        if more == "f" {
            break;
        }
        ensure!(failed > 0, "sweep {sweeps} did nothing but returned `more`");
        sweeps += 1;
    }
    expect(&mut client, IN_FLIGHT, "0")?;
    expect(&mut client, INCOMPLETE, "0")?;
    expect(&mut client, "SELECT more FROM multica_sweep()", "f")
}

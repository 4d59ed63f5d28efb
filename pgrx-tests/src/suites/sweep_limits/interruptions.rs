//! What may get in a sweep's way: rows that somebody holds, an end of its time, somebody who stops it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::super::support::{end_timeout, expect, start, value};
use super::{HALF_DONE, LEFT, orphans};
use crate::context::Context;

/// An agent with more tasks than a batch, a runtime, an issue and a task are held by a client that is idle in its
/// transaction: their tasks wait, and nobody else's.
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
    expect(&mut client, LEFT, "0")?;
    expect(&mut client, HALF_DONE, "0")
}

/// By statement_timeout and by pg_cancel_backend, early and late: what is stopped has not happened, and the rest goes
/// on.
pub fn cancelled_sweep_leaves_no_partial_batch(context: &Context) -> Result<()> {
    let database = orphans(context, context.shared()?, 3000)?;
    let mut client = database.connect()?;
    client.batch_execute("SET multica.batch_size = 500")?;
    let mut stopped = 0;
    for limit in 1.. {
        let before = value(&mut client, LEFT)?;
        client.batch_execute(&format!("SET statement_timeout = {}", limit * limit))?;
        let outcome = client.batch_execute("SELECT * FROM multica_sweep()");
        end_timeout(&mut client, "SET statement_timeout = 0")?;
        expect(&mut client, HALF_DONE, "0")?;
        let Err(error) = outcome else { break };
        let code = error.code().map_or("none", |code| code.code());
        ensure!(code == "57014", "a sweep ended with {code}: {error}");
        ensure!(before == value(&mut client, LEFT)?, "half a batch is done");
        stopped += 1;
    }
    ensure!(stopped > 3, "stopped {stopped} times");
    let mut delay = Duration::from_millis(5);
    while value(&mut client, LEFT)? != "0" {
        let running = start(&database, "CALL multica_sweep_all()")?;
        std::thread::sleep(delay);
        client.query("SELECT pg_cancel_backend($1)", &[&running.pid])?;
        let asked = std::time::Instant::now();
        if let Err(error) = running.finish() {
            let code = error.code().map_or("none", |code| code.code());
            ensure!(code == "57014", "a sweep ended with {code}: {error}");
        }
        ensure!(asked.elapsed() < Duration::from_secs(2), "it did not stop");
        expect(&mut client, HALF_DONE, "0")?;
        delay = delay * 3 / 2;
    }
    Ok(())
}

/// However little time it is given, a sweep does something, says that there is more, and does not say so for ever.
pub fn budget_below_one_batch_makes_progress(context: &Context) -> Result<()> {
    let database = orphans(context, context.shared()?, 2000)?;
    let mut client = database.connect()?;
    // A registry that takes longer to look through than the budget.
    client.batch_execute(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT md5('w')::uuid, 'alive-' || n, 'r', 'local', 'claude', 'online', 'infinity' FROM generate_series(1, 20000) AS n;
         SET multica.sweep_budget = '1ms'",
    )?;
    let mut sweeps = 0;
    loop {
        let told = value(&mut client, "SELECT tasks_failed, more FROM multica_sweep()")?;
        let (failed, more) = told.split_once(' ').context("two columns")?;
        let failed: i64 = failed.parse()?;
        ensure!(failed < 1000, "the budget stopped nothing: {failed} tasks");
        if more == "f" {
            break;
        }
        ensure!(failed > 0, "sweep {sweeps} did nothing and wants to go on");
        sweeps += 1;
    }
    expect(&mut client, LEFT, "0")?;
    expect(&mut client, HALF_DONE, "0")?;
    expect(&mut client, "SELECT more FROM multica_sweep()", "f")
}

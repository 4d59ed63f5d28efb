//! Counters of all sweeps so far, which a monitoring system uses.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{dead_machine, id, values};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![concurrent_sweeps_are_all_counted, metric_counters_never_decrease,];

const COUNTERS: &str = "runtimes_offline, tasks_failed, tasks_timed_out, tasks_retried, issues_reset, agents_reconciled, \
                        runtimes_deleted";

fn sweep(client: &mut Client) -> Result<Vec<i64>> {
    numbers(client, &format!("SELECT {COUNTERS} FROM multica_sweep()"))
}

fn totals(client: &mut Client) -> Result<Vec<i64>> {
    let names = COUNTERS.replace(", ", ", total_");
    let query = format!("SELECT total_sweeps, total_{names} FROM multica_status()");
    numbers(client, &query)
}

fn numbers(client: &mut Client, query: &str) -> Result<Vec<i64>> {
    let row = values(client, query)?.join(" ");
    Ok(row.split(' ').map(str::parse).collect::<Result<_, _>>()?)
}

fn silence(client: &mut Client, runtime: &str) -> Result<()> {
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET status = 'online', last_seen_at = now() - interval '1 hour' WHERE id = {}",
        id(runtime)
    ))?;
    Ok(())
}

/// A sweep waits for no lock, so another open sweep may have locked the counters. Its work is counted all the same, and
/// that of a rolled-back sweep is not.
fn concurrent_sweeps_are_all_counted(context: &Context) -> Result<()> {
    let (database, mut first) = dead_machine(context)?;
    let mut second = database.connect()?;
    first.batch_execute("BEGIN")?;
    let mut expected = vec![2];
    expected.extend(sweep(&mut first)?);
    silence(&mut second, "b2")?;
    second.batch_execute("SET statement_timeout = '20s'")?;
    let concurrent = sweep(&mut second)?;
    ensure!(expected[1] == 1 && concurrent[0] == 1, "each sweep finds one runtime: {expected:?} and {concurrent:?}");
    first.batch_execute("COMMIT")?;
    for (total, added) in expected[1..].iter_mut().zip(concurrent) {
        *total += added;
    }
    let found = totals(&mut first)?;
    ensure!(found == expected, "counted {found:?}, not {expected:?}");

    silence(&mut first, "b1")?;
    first.batch_execute("BEGIN")?;
    ensure!(sweep(&mut first)?[0] == 1, "there is nothing to sweep");
    first.batch_execute("ROLLBACK")?;
    let after = totals(&mut first)?;
    ensure!(after == expected, "a rolled-back sweep is counted: {after:?}");
    sweep(&mut first)?;
    let slots = values(&mut first, "SELECT count(*) FROM multica_sweep_total")?;
    ensure!(slots == ["2"], "two concurrent sweeps use {slots:?} rows");
    Ok(())
}

/// A monitoring system takes a counter that decreases for a restart when it computes rates. The figures of the last
/// sweep may decrease, the totals must not.
fn metric_counters_never_decrease(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    let counters =
        "SELECT value::bigint FROM multica_metrics() WHERE name IN ('multica_sweeps_total', 'multica_swept_total')
                    ORDER BY name, labels";
    let mut before: Vec<i64> = vec![0; 8];
    for runtime in ["b1", "b2", "b1"] {
        silence(&mut client, runtime)?;
        sweep(&mut client)?;
        let now: Vec<i64> =
            values(&mut client, counters)?.iter().map(|value| value.parse()).collect::<Result<_, _>>()?;
        ensure!(
            now.len() == 8 && now != before && now.iter().zip(&before).all(|(now, before)| now >= before),
            "{before:?} became {now:?}"
        );
        before = now;
    }
    Ok(())
}

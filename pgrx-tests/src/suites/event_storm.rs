//! Many concurrent writers, and readers that must miss no event.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use postgres::Client;
use uuid::Uuid;

use super::Suite;
use super::support::{LIMIT, dead_machine};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![no_event_is_skipped_or_read_twice];

const WRITERS: usize = 12;
const LENGTH: Duration = Duration::from_secs(4);

/// Transactions of writers assign ids in one order and commit in another, with savepoints and rollbacks. A reader by
/// position and a named reader get each committed event once, in the order of ids.
fn no_event_is_skipped_or_read_twice(context: &Context) -> Result<()> {
    let (database, mut client) = dead_machine(context)?;
    client.batch_execute(&format!(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status)
         SELECT w.id, 'storm-' || n, 'storm', 'local', 'claude', 'online' FROM workspace AS w, generate_series(1, {}) AS n",
        WRITERS * 3
    ))?;
    let runtimes: Vec<Uuid> = client
        .query("SELECT id FROM agent_runtime WHERE name = 'storm' ORDER BY daemon_id", &[])?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let ended = AtomicBool::new(false);
    let mut sessions = Vec::new();
    for own in runtimes.chunks(3) {
        sessions.push((database.connect()?, own.to_vec()));
    }
    let (mut by_position, mut by_name) = (database.connect()?, database.connect()?);
    let (read, taken) = std::thread::scope(|scope| -> Result<_> {
        let writers: Vec<_> = sessions
            .into_iter()
            .enumerate()
            .map(|(number, (session, own))| scope.spawn(move || write(session, &own, number)))
            .collect();
        let ended = &ended;
        let reader = scope.spawn(move || {
            read_until_ended(ended, |last| by_position.query("SELECT id FROM multica_events($1, 500)", &[&last]))
        });
        let taker = scope.spawn(move || {
            read_until_ended(ended, |_| by_name.query("SELECT id FROM multica_take_events('storm', 500)", &[]))
        });
        let written: Result<Vec<()>> =
            writers.into_iter().map(|writer| writer.join().expect("a writer does not panic")).collect();
        ended.store(true, Ordering::SeqCst);
        let read = reader.join().expect("the reader does not panic")?;
        let taken = taker.join().expect("the reader does not panic")?;
        written?;
        Ok((read, taken))
    })?;
    let committed: Vec<i64> =
        client.query("SELECT id FROM multica_event_log ORDER BY id", &[])?.iter().map(|row| row.get(0)).collect();
    ensure!(committed.len() > 100, "the writers recorded only {} events", committed.len());
    for (reader_kind, received) in [("by position", read), ("by name", taken)] {
        let distinct: BTreeSet<i64> = received.iter().copied().collect();
        let skipped = committed.iter().filter(|id| !distinct.contains(id)).count();
        ensure!(
            received == committed,
            "{reader_kind}: of {} events {skipped} were skipped and {} were returned twice",
            committed.len(),
            received.len() - distinct.len()
        );
    }
    Ok(())
}

/// Writes events of the writer's own runtimes, so that writers do not wait for each other's rows.
fn write(mut session: Client, own: &[Uuid], number: usize) -> Result<()> {
    let started = Instant::now();
    let mut turn = number;
    while started.elapsed() < LENGTH {
        turn += 1;
        let mut transaction = session.transaction()?;
        for (step, runtime) in own.iter().enumerate() {
            let call = if (turn + step).is_multiple_of(2) {
                "SELECT multica_set_runtime_offline($1)::text"
            } else {
                "SELECT (multica_heartbeat($1)).status"
            };
            let mut savepoint = transaction.transaction()?;
            savepoint.query(call, &[runtime])?;
            if (turn + step).is_multiple_of(3) {
                savepoint.rollback()?;
            } else {
                savepoint.commit()?;
            }
        }
        if turn.is_multiple_of(5) {
            transaction.rollback()?;
        } else {
            transaction.commit()?;
        }
    }
    Ok(())
}

/// Reads until the writers have ended and no event is left.
fn read_until_ended(
    ended: &AtomicBool,
    mut next: impl FnMut(i64) -> std::result::Result<Vec<postgres::Row>, postgres::Error>,
) -> Result<Vec<i64>> {
    let mut seen: Vec<i64> = Vec::new();
    let started = Instant::now();
    loop {
        ensure!(started.elapsed() < LENGTH + LIMIT, "the reader does not reach the end of the log");
        let writers_ended = ended.load(Ordering::SeqCst);
        let last = seen.last().copied().unwrap_or_default();
        let rows = next(last)?;
        if rows.is_empty() && writers_ended {
            return Ok(seen);
        }
        seen.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
    }
}

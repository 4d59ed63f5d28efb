//! One worker: a short-lived process that sweeps one database and exits.

use std::cell::Cell;
use std::time::{Duration, Instant};

use pgrx::Uuid;
use pgrx::prelude::*;

use super::batch::Batch;
use super::installation::{self, Installation};
use super::shared::{self, Micros, Report};
use super::transaction::{self, Failure};
use super::{ffi, word};
use crate::lifecycle::{rows_in_work, thresholds, writer};
use crate::postgres::statement::{Statement, arg};
use crate::settings;
use crate::sweep::{Part, Ran};

static TRY_LOCK: Statement = Statement::stable(sql!("worker/try_lock.sql"));
static SET_BATCH: Statement = Statement::stable(sql!("worker/set_batch.sql"));
static NEXT_EXPIRY: Statement = Statement::stable(sql!("worker/next_expiry.sql")).of_whole_tables();

/// A worker exits after this time, because DROP DATABASE and CREATE DATABASE … TEMPLATE wait 5 s for other sessions to
/// disconnect.
const MAX_LIFETIME: Duration = Duration::from_secs(3);

/// No sweep begins later than this, so that each sweep has at least one second.
const LAST_SWEEP_START: Duration = Duration::from_secs(2);

/// A sweep that took longer than this is not followed by a larger one.
const GROW_BELOW: Duration = Duration::from_millis(500);

/// What a worker does besides sweeping takes no longer than this.
const HOUSEKEEPING_TIMEOUT: Duration = Duration::from_secs(1);

/// How many refused rows one worker finds at most. If it could write no row at all, the pass has failed instead.
const MOST_REFUSED: usize = 10;

/// SQLSTATEs that are not caused by the content of a row.
const QUERY_CANCELED: &str = "57014";
const DISK_FULL: &str = "53100";

/// Entry of a worker's process; the argument is the database and the number of its launch.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn multica_worker_main(argument: pg_sys::Datum) {
    let (database, launch) = word::unpack(argument);
    ffi::take_signals();
    // SAFETY: called once, before anything else uses the database.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::InvalidOid, 0);
    }
    ffi::set_as_autovacuum_does(c"multica worker");
    let mut sweeper = Sweeper {
        database,
        name: format!("with OID {database}"),
        owner: None,
        began: Instant::now(),
        batch: Batch::new(settings::batch_size() as i32, None),
        attempts: 0,
        refused: 0,
        swept: false,
    };
    let report = sweeper.run();
    shared::ended(database, launch, report, sweeper.batch.kept(), ffi::now());
}

struct Sweeper {
    database: pg_sys::Oid,
    name: String,
    /// The owner of the tables, once it is known. Tables are accessed only as this role.
    owner: Option<pg_sys::Oid>,
    began: Instant,
    batch: Batch,
    attempts: u32,
    refused: usize,
    swept: bool,
}

impl Sweeper {
    fn run(&mut self) -> Report {
        let found = ffi::within(MAX_LIFETIME, || {
            transaction::run("looking for the tables", || {
                let (free, name): (bool, String) =
                    TRY_LOCK.row(&[], |row| (row.must(1), row.must(2))).expect("one row");
                (format!("\"{name}\""), free.then(installation::find))
            })
        });
        match found {
            Ok((name, place)) => {
                self.name = name;
                match place {
                    None => Report::Busy,
                    Some(Err(obstacle)) => Report::Impossible(obstacle),
                    Some(Ok(place)) => self.sweep_as_owner(&place),
                }
            }
            Err(failure) => {
                // The process is still a superuser, so it must not access a table, and the error is not recorded in
                // one.
                self.say(&failure.text);
                Report::Failed
            }
        }
    }

    fn sweep_as_owner(&mut self, place: &Installation) -> Report {
        let now = ffi::now();
        let batch = shared::began(self.database, place.needs_update, now);
        self.batch = Batch::new(settings::batch_size() as i32, batch);
        self.owner = Some(place.owner);
        let mut part = Part::Verdicts;
        let mut looked_at = now;
        let mut held_until = None;
        loop {
            ffi::reload_if_asked();
            // A trigger may have changed the search path.
            ffi::set(c"search_path", &place.path);
            let left = MAX_LIFETIME.saturating_sub(self.began.elapsed());
            let size = self.batch.size();
            self.attempts += 1;
            let sweep_began = Instant::now();
            if matches!(part, Part::Verdicts) {
                looked_at = ffi::now();
            }
            let is_housekeeping = Cell::new(false);
            let outcome = ffi::within(left, || {
                transaction::run_as(self.owner, "sweeping", || sweep(size, part, &is_housekeeping))
            });
            let ran = outcome.as_ref().ok();
            let next = ran.and_then(|ran| ran.next);
            if let (Part::Verdicts, Some(ran)) = (part, ran) {
                held_until = ran.held.map(|held| Micros::from(held.until));
            }
            part = next.unwrap_or(Part::Verdicts);
            let ended = match outcome {
                Ok(_) => {
                    self.swept = true;
                    if sweep_began.elapsed() < GROW_BELOW {
                        self.batch.grow();
                    }
                    next.is_none().then(|| self.done(looked_at, held_until))
                }
                Err(failure) if is_housekeeping.get() => {
                    // All verdicts are committed. The next verdicts must not wait for the growing pauses of a failing
                    // database.
                    self.swept = true;
                    match self.after(failure) {
                        Some(Report::Failed) => Some(self.done(looked_at, held_until)),
                        other => other,
                    }
                }
                Err(failure) => self.after(failure),
            };
            if let Some(report) = ended {
                return report;
            }
            if self.began.elapsed() >= LAST_SWEEP_START {
                return Report::Swept { more: true, expiry: None };
            }
        }
    }

    /// Ends a pass without further work. `looked_at`: a moment before the last verdicts began. `held_until`: until when
    /// verdicts are held, which are due then.
    fn done(&mut self, looked_at: Micros, held_until: Option<Micros>) -> Report {
        if held_until.is_some() {
            return Report::Swept { more: false, expiry: held_until };
        }
        let stale_after = thresholds::stale_after().secs;
        let looked_at = TimestampWithTimeZone::try_from(looked_at).ok();
        let expiry = ffi::within(HOUSEKEEPING_TIMEOUT, || {
            transaction::run_as(self.owner, "looking for the next expiry", || {
                NEXT_EXPIRY.row(&[arg(stale_after), arg(looked_at)], |row| row.get::<TimestampWithTimeZone>(1))
            })
        });
        match expiry {
            Ok(expiry) => Report::Swept { more: false, expiry: expiry.flatten().map(Micros::from) },
            Err(failure) => self.give_up(&failure),
        }
    }

    /// Returns how the pass ends after a failed sweep; None means that it continues with a smaller batch, or without
    /// the row that caused the error.
    fn after(&mut self, failure: Failure) -> Option<Report> {
        let late = self.began.elapsed() >= MAX_LIFETIME;
        if failure.state == QUERY_CANCELED && !late {
            return Some(self.give_up(&failure));
        }
        let in_work = rows_in_work::take();
        if in_work.is_empty() && !late {
            return Some(self.give_up(&failure));
        }
        // If the time ended before a row was written, the batch is too large, too.
        let tried = if in_work.is_empty() { usize::MAX } else { in_work.len() };
        if self.batch.shrink(tried) {
            debug1!("multica worker: retrying with batches of {}: {}", self.batch.size(), failure.text);
            return None;
        }
        if late && self.attempts > 1 {
            // A row is refused only if a whole pass was not enough for it alone.
            return None;
        }
        // No row causes a full disk, and all rows can be written again as soon as there is space.
        if in_work.is_empty() || failure.state == DISK_FULL {
            return Some(self.give_up(&failure));
        }
        self.refuse(in_work, &failure)
    }

    fn refuse(&mut self, rows: Vec<Uuid>, failure: &Failure) -> Option<Report> {
        let names = rows.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ");
        let text = format!("skips {names} for a while: {}", failure.text);
        self.say(&text);
        self.refused += 1;
        if !self.record(&text, rows) || self.refused >= MOST_REFUSED && !self.swept {
            return Some(Report::Failed);
        }
        (self.refused >= MOST_REFUSED).then_some(Report::Swept { more: true, expiry: None })
    }

    fn give_up(&mut self, failure: &Failure) -> Report {
        self.say(&failure.text);
        self.record(&failure.text, Vec::new());
        Report::Failed
    }

    /// Reports an error in the log, and in shared memory for sessions that read the state of this database.
    fn say(&self, text: &str) {
        shared::failed(self.database, text, ffi::now());
        log!("multica worker: database {}: {text}", self.name);
    }

    /// Records an error for the operator in multica_sweep_state, in its own transaction. Returns false if it could not
    /// be recorded.
    fn record(&mut self, text: &str, refused: Vec<Uuid>) -> bool {
        let recorded = ffi::within(HOUSEKEEPING_TIMEOUT, || {
            transaction::run_as(self.owner, "recording an error", || {
                let is_refusal = !refused.is_empty();
                writer::record_error(text, refused, is_refusal)
            })
        });
        match recorded {
            Ok(is_recorded) => is_recorded,
            Err(failure) => {
                log!("multica worker: could not record an error: {}", failure.text);
                false
            }
        }
    }
}

/// Runs one part of a sweep. It does not call a SQL function, because the tables may have a new owner without a
/// privilege on the function.
fn sweep(size: i32, part: Part, is_housekeeping: &Cell<bool>) -> Ran {
    // Forgets the rows that an earlier transaction was writing.
    drop(rows_in_work::take());
    SET_BATCH.run(&[arg(size.to_string())]);
    part.run(None, is_housekeeping)
}

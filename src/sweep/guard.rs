//! The guard against mass verdicts. After an outage every runtime is silent, and that does not mean that any daemon is
//! dead.
//!
//! Verdicts are held for one threshold of silence, which is enough for a heartbeat of every daemon:
//!
//! 1. from the moment at which the server started, or became available again;
//! 2. from the first sweep on another timeline than the last one, because the server was promoted;
//! 3. from the first sweep that finds no runtime at all with a recent heartbeat. Once verdicts were held for a silence,
//!    by any of these rules, they are not held for it again. So a database with a single machine gets its verdict one
//!    threshold later.
//!
//! The beginning of the last two is stored in the row of the state. Without its columns, which install makes, only the
//! first rule applies.

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::lifecycle::event;
use crate::lifecycle::writer::Writer;
use crate::postgres::statement::{Arg, Row, Statement, arg};
use crate::settings;
use crate::worker::shared::{self, Micros};

static GUARD: Statement = Statement::stable(sql!("sweep/guard.sql")).of_whole_tables();
static HOLD: Statement = Statement::volatile(sql!("sweep/hold.sql"));

const AVAILABLE: &str = "the server has become available";
const PROMOTED: &str = "the server was promoted";
const SILENT: &str = "no runtime has sent a heartbeat";
const CONTINUES: &str = "a sweep has found an outage";

/// A time that is further in the future than this was written before the clock was set back, and does not count.
const AHEAD: Micros = 60_000_000;

/// Verdicts are held.
#[derive(Clone, Copy)]
pub struct Held {
    /// Until when.
    pub until: TimestampWithTimeZone,
    /// Why, for people.
    pub because: &'static str,
}

/// What a sweep knows about outages.
#[derive(Default)]
pub struct Guard {
    /// Whether verdicts are held now.
    pub held: Option<Held>,
    /// The end of the last outage that is known. What was stored before it says nothing about the time since.
    pub outage: Option<TimestampWithTimeZone>,
    new: Option<New>,
    /// Whether there is a runtime that the sweep sets offline, or whose last heartbeat it corrects. None if the guard
    /// is off: then it has not looked.
    has_candidates: Option<bool>,
}

/// What is to be stored.
#[derive(Clone)]
struct New {
    timeline: Option<String>,
    /// The beginning of a hold that this sweep has found.
    since: Option<TimestampWithTimeZone>,
    /// Whether an idle sweep stores it too.
    is_urgent: bool,
}

struct Facts {
    timeline: Option<String>,
    recorded_timeline: Option<String>,
    held_since: Option<TimestampWithTimeZone>,
    newest: Option<TimestampWithTimeZone>,
    is_silent: bool,
    has_candidates: bool,
    can_store: bool,
}

impl Facts {
    fn read(row: &Row) -> Self {
        Self {
            timeline: row.column("timeline"),
            recorded_timeline: row.column("recorded_timeline"),
            held_since: row.column("held_since"),
            newest: row.column("newest"),
            is_silent: row.required("is_silent"),
            has_candidates: row.required("has_candidates"),
            can_store: row.required("can_store"),
        }
    }
}

/// Returns when the server started, or became available again.
fn available_since(now: Micros) -> Option<Micros> {
    // SAFETY: the server sets the variable once, before it starts this process.
    let started = unsafe { pg_sys::PgStartTime };
    let since = std::iter::once(started).chain(shared::serving_since());
    since.filter(|since| *since <= now.saturating_add(AHEAD)).max()
}

fn time(moment: Option<Micros>) -> Option<TimestampWithTimeZone> {
    moment.and_then(|moment| TimestampWithTimeZone::try_from(moment).ok())
}

impl Guard {
    /// Decides for a sweep whether verdicts are held at `now`. `stale`: the seconds after which a runtime is stale.
    pub fn look(now: TimestampWithTimeZone, stale: f64) -> Self {
        Self::by(now, stale, |args| GUARD.latest().row(args, Facts::read))
    }

    /// As [`Guard::look`], in the snapshot of the caller's query, also on a standby.
    pub fn glance(now: TimestampWithTimeZone, stale: f64) -> Self {
        Self::by(now, stale, |args| GUARD.row(args, Facts::read))
    }

    fn by(now: TimestampWithTimeZone, stale: f64, read: impl FnOnce(&[Arg]) -> Option<Facts>) -> Self {
        if !settings::hold_verdicts() {
            return Self { outage: time(available_since(Micros::from(now))), ..Self::default() };
        }
        let facts = read(&[arg(now), arg(stale)]);
        facts.map(|facts| Self::decide(&facts, now, stale)).unwrap_or_default()
    }

    fn decide(facts: &Facts, now: TimestampWithTimeZone, stale: f64) -> Self {
        let at = Micros::from(now);
        let wait = (stale * 1e6) as Micros;
        let counts = |since: &Micros| *since <= at.saturating_add(AHEAD);
        let hold = |since: Micros, because: &'static str| {
            let until = since.saturating_add(wait);
            let until = time((until > at).then_some(until))?;
            Some(Held { until, because })
        };
        let started = available_since(at);
        let available = started.and_then(|since| hold(since, AVAILABLE));
        let has_candidates = Some(facts.has_candidates);
        if !facts.can_store {
            return Self { held: available, outage: time(started), new: None, has_candidates };
        }
        let held_since = facts.held_since.map(Micros::from).filter(counts);
        let is_new_timeline = facts.timeline.is_some() && facts.recorded_timeline != facts.timeline;
        let is_promoted = is_new_timeline && facts.recorded_timeline.is_some();
        let newest = facts.newest.map(Micros::from);
        let is_new_silence = facts.is_silent && started.max(held_since) <= newest;
        let begins = (is_promoted || is_new_silence) && available.is_none();
        let noted = match (begins, held_since) {
            (true, _) => hold(at, if is_promoted { PROMOTED } else { SILENT }),
            (false, Some(since)) => hold(since, if facts.is_silent { SILENT } else { CONTINUES }),
            (false, None) => None,
        };
        let new =
            New { timeline: facts.timeline.clone(), since: begins.then_some(now), is_urgent: begins || is_promoted };
        let outage = if begins { Some(at) } else { started.max(held_since) };
        let new = (begins || is_new_timeline).then_some(new);
        Self { held: available.or(noted), outage: time(outage), new, has_candidates }
    }

    /// Whether the sweep has to search for silent runtimes. The search reads all runtimes, as the guard does, so a sweep
    /// that has nothing to do reads them once.
    pub fn may_find_silent(&self) -> bool {
        self.has_candidates.unwrap_or(true)
    }

    /// Stores what this sweep has found. An idle sweep stores only a promotion, or the beginning of a hold.
    pub fn store(&self, writer: &mut Writer, is_idle: bool) {
        let Some(new) = self.new.as_ref().filter(|new| new.is_urgent || !is_idle) else {
            return;
        };
        writer.beside(|| {
            if event::lock_state() {
                HOLD.run(&[arg(new.timeline.clone()), arg(new.since)]);
            }
        });
    }
}

impl Held {
    /// Tells the caller of a sweep.
    pub fn tell(self) {
        let text = format!("multica sets no runtime offline and fails no task until {}: {}", self.until, self.because);
        ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, text, "multica")
            .set_detail("Daemons get time to send a heartbeat after an outage.")
            .set_hint("If there was no outage, set multica.hold_verdicts to off and sweep again.")
            .report(PgLogLevel::NOTICE);
    }
}

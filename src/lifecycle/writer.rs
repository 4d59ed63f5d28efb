//! Writes rows some of which a user's trigger or constraint may refuse. A refused row does not delay the others.
//!
//! First, the work of a call is tried as a whole. Only after an error, it is repeated in pieces. Each piece has its own
//! subtransaction and is halved if it fails, until the rows that cannot be written are found. These rows are recorded
//! and skipped for a while; the writes to all other rows are kept.

use std::collections::HashSet;

use pgrx::Uuid;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::event::{self, Call};
use super::rows_in_work;
use crate::postgres::deferred;
use crate::postgres::refusal::Refusal;
use crate::postgres::statement::{Statement, arg};
use crate::postgres::subtransaction::{self, LazySubtransaction};

static PASSED_OVER: Statement = Statement::volatile(sql!("lifecycle/writer/passed_over.sql"));
static RECORD_ERROR: Statement = Statement::volatile(sql!("lifecycle/writer/record_error.sql"));
static REFUSE_EVENTS: Statement = Statement::volatile(sql!("lifecycle/writer/refuse_events.sql"));

/// How many subtransactions with writes one transaction keeps at most: from 65 on, every snapshot in the cluster
/// becomes slower.
const MOST_KEPT: usize = 32;

/// How many of these subtransactions are reserved for what is written besides the rows: figures, and the record of the
/// refused rows.
const RESERVED: usize = 2;

/// How many refused rows a call finds at most. If every row is refused, it is useless to try them all.
const MOST_REFUSED: usize = 10;

/// With fewer skipped rows than this, the next call does not have to wait: it finds other refused rows, and after these
/// the rows that can be written.
const MANY_PASSED_OVER: usize = 1000;

/// A row that a call writes.
#[derive(Clone, Copy)]
pub enum Row {
    /// A runtime or task.
    Id(Uuid),
    /// An event of the log.
    Event(i64),
}

impl From<Uuid> for Row {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

impl From<i64> for Row {
    fn from(id: i64) -> Self {
        Self::Event(id)
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Id(id) => write!(to, "{id}"),
            Self::Event(id) => write!(to, "event {id}"),
        }
    }
}

/// Writes the rows of a call, in one of two ways.
pub struct Writer<'a> {
    mode: Mode<'a>,
    /// Whether deferred constraints can be checked; false if the caller itself has deferred work.
    checks_deferred: bool,
    /// Runtimes and tasks that an earlier call could not write and that are skipped for now.
    passed_over: &'a [Uuid],
    refused: Vec<(Row, Refusal)>,
    /// Rows that a trigger keeps unchanged without an error.
    kept_out: Vec<Uuid>,
    kept: usize,
    is_cut_short: bool,
}

enum Mode<'a> {
    /// All rows in one subtransaction, which is opened if there is something to write.
    Whole(&'a LazySubtransaction),
    /// Each piece in its own subtransaction.
    InPieces,
}

/// Runs `work` as a whole. If a row is refused, the changes are rolled back and `work` runs once more, in pieces. Each
/// refused row is named in a WARNING, recorded, and skipped for a while.
pub fn write<R>(now: TimestampWithTimeZone, mut work: impl FnMut(&mut Writer) -> R) -> R {
    let passed_over: Vec<Uuid> = PASSED_OVER.row(&[arg(now)], |row| row.must(1)).unwrap_or_default();
    let checks_deferred = !deferred::is_pending_before();
    let whole = subtransaction::attempt(|later| {
        let mut writer = Writer::new(Mode::Whole(later), checks_deferred, &passed_over);
        let result = work(&mut writer);
        writer.record_kept_out();
        writer.check_deferred(later);
        result
    });
    whole.unwrap_or_else(|_| {
        // A lock timeout of the log would be taken for the refusal of a row. Here it fails the call.
        event::hold_back_readers();
        let mut writer = Writer::new(Mode::InPieces, checks_deferred, &passed_over);
        let result = work(&mut writer);
        writer.record_kept_out();
        writer.record_refused();
        result
    })
}

/// Records an error for the operator in multica_sweep_state, and the rows that are skipped for a while because of it.
/// Returns false while another session holds that row.
pub fn record_error(text: &str, refused: Vec<Uuid>, is_refusal: bool) -> bool {
    event::lock_state() && RECORD_ERROR.run(&[arg(text), arg(refused), arg(is_refusal)]) > 0
}

impl<'a> Writer<'a> {
    fn new(mode: Mode<'a>, checks_deferred: bool, passed_over: &'a [Uuid]) -> Self {
        Self {
            mode,
            checks_deferred,
            passed_over,
            refused: Vec::new(),
            kept_out: Vec::new(),
            kept: 0,
            is_cut_short: false,
        }
    }

    /// Whether each piece is written by itself. Its events are then recorded with it.
    pub fn is_in_pieces(&self) -> bool {
        matches!(self.mode, Mode::InPieces)
    }

    /// Whether a row was written, or refused, so far.
    pub fn has_written(&self) -> bool {
        match self.mode {
            Mode::Whole(later) => later.is_open(),
            Mode::InPieces => self.kept > 0 || !self.refused.is_empty(),
        }
    }

    /// Whether there may be rows that were not tried yet.
    pub fn is_cut_short(&self) -> bool {
        self.is_cut_short
    }

    /// Whether the remaining rows are expected to be refused too.
    pub fn has_given_up(&self) -> bool {
        self.refused.len() >= MOST_REFUSED && self.passed_over.len() + self.refused.len() >= MANY_PASSED_OVER
    }

    /// Returns the runtimes and tasks to be excluded: those that an earlier call or this call could not write.
    pub fn exclude(&self) -> Vec<Uuid> {
        let refused = self.refused.iter().filter_map(|(row, _)| match row {
            Row::Id(id) => Some(*id),
            Row::Event(_) => None,
        });
        let passed_over = self.passed_over.iter().chain(&self.kept_out);
        passed_over.copied().chain(refused).collect()
    }

    /// Excludes the rows in `tried` that are not in `written` and were not refused. The caller had locked them, so a
    /// trigger keeps them unchanged. If they were not excluded, a sweep would find them again and again and make no
    /// progress.
    pub fn keep_out(&mut self, tried: &[Uuid], written: impl IntoIterator<Item = Uuid>) {
        if self.is_cut_short {
            return;
        }
        let mut known: HashSet<Uuid> = written.into_iter().collect();
        if known.len() == tried.len() {
            return;
        }
        known.extend(self.exclude());
        let kept_out = tried.iter().filter(|row| !known.contains(row));
        self.kept_out.extend(kept_out);
        self.is_cut_short |= !self.kept_out.is_empty();
    }

    /// Lets `work` write the rows in their order: all at once, or in pieces until no piece that is left contains a
    /// refused row.
    pub fn rows<T: Copy + Into<Row>, R>(&mut self, rows: &[T], mut work: impl FnMut(&[T]) -> R) -> Vec<R> {
        if rows.is_empty() {
            return Vec::new();
        }
        if let Mode::Whole(later) = self.mode {
            later.open();
            return vec![work(rows)];
        }
        let mut left = vec![rows];
        let mut done = Vec::new();
        while let Some(piece) = left.pop() {
            if self.is_spent() {
                self.is_cut_short = true;
                break;
            }
            match self.attempt(|| work(piece)) {
                Ok(result) => done.push(result),
                Err(refusal) if piece.len() == 1 => {
                    let row = piece[0].into();
                    warn(format!("multica skips {row} for a while: {}", refusal.text));
                    self.refused.push((row, refusal));
                }
                Err(_) => {
                    let (first, second) = piece.split_at(piece.len() / 2);
                    left.extend([second, first]);
                }
            }
        }
        done
    }

    /// As [`Writer::rows`], for tasks or agents. The events of each piece are recorded with it and carry the id of the
    /// sweep of `call`.
    pub fn parts<R>(&mut self, rows: &[Uuid], call: &Call, mut work: impl FnMut(&[Uuid], &mut Call) -> R) -> Vec<R> {
        self.rows(rows, |piece| {
            rows_in_work::set(piece);
            call.part(|part| {
                let result = work(piece, part);
                // From here on no row of the piece can be the cause of an error.
                rows_in_work::clear();
                result
            })
        })
    }

    /// As [`Writer::rows`], for runtimes. `work` returns the workspace and the id of each runtime that it wrote, with a
    /// row of the result. The `action` is announced for each runtime with the other events of the call, or recorded at
    /// once if each piece is written by itself. Returns the runtimes that were written, and their rows.
    pub fn runtimes<R>(
        &mut self,
        runtimes: &[Uuid],
        action: &str,
        call: &mut Call,
        mut work: impl FnMut(&[Uuid]) -> Vec<((Uuid, Uuid), R)>,
    ) -> (Vec<Uuid>, Vec<R>) {
        let at_once = self.is_in_pieces();
        let pieces = self.rows(runtimes, |piece| {
            rows_in_work::set(piece);
            let (written, rows): (Vec<(Uuid, Uuid)>, Vec<R>) = work(piece).into_iter().unzip();
            let ids: Vec<Uuid> = written.iter().map(|(_, runtime)| *runtime).collect();
            if at_once {
                call.part(|part| part.runtimes(action, written));
            } else {
                call.runtimes(action, written);
            }
            ids.into_iter().zip(rows)
        });
        pieces.into_iter().flatten().unzip()
    }

    /// Lets `work` write something that is not a row of the batch, such as figures. In pieces, a refusal is only
    /// reported in a WARNING, because nothing else depends on it.
    pub fn beside(&mut self, work: impl FnOnce()) {
        if let Mode::Whole(later) = self.mode {
            later.open();
            work();
        } else if let Err(refusal) = self.attempt(work) {
            warn(format!("multica could not record what it did: {}", refusal.text));
        }
    }

    fn is_spent(&self) -> bool {
        self.kept + RESERVED >= MOST_KEPT || self.refused.len() >= MOST_REFUSED
    }

    fn attempt<R>(&mut self, work: impl FnOnce() -> R) -> Result<R, Refusal> {
        let result = attempt(work, self.checks_deferred);
        self.kept += usize::from(result.is_ok());
        result
    }

    fn check_deferred(&self, later: &LazySubtransaction) {
        if self.checks_deferred && later.is_open() {
            deferred::check();
        }
    }

    fn record_kept_out(&mut self) {
        let Some(first) = self.kept_out.first() else {
            return;
        };
        let text = match self.kept_out.len() {
            1 => format!("skips {first} for a while: a trigger keeps the row unchanged"),
            many => format!("skips {first} and {} others for a while: a trigger keeps the rows unchanged", many - 1),
        };
        warn(format!("multica {text}"));
        let rows = self.kept_out.clone();
        self.beside(|| {
            record_error(&text, rows, true);
        });
    }

    /// Records the refused rows, outside the subtransactions that failed, because these were rolled back.
    fn record_refused(&mut self) {
        let Some((_, first)) = self.refused.first() else {
            return;
        };
        let names: Vec<String> = self.refused.iter().map(|(row, _)| row.to_string()).collect();
        let text = format!("skips {} for a while: {}", names.join(", "), first.text);
        let mut ids = Vec::new();
        let mut events = Vec::new();
        for (row, _) in &self.refused {
            match row {
                Row::Id(id) => ids.push(*id),
                Row::Event(id) => events.push(*id),
            }
        }
        self.beside(|| {
            if !events.is_empty() && event::lock_state() {
                REFUSE_EVENTS.run(&[arg(events)]);
            }
            record_error(&text, ids, true);
        });
    }
}

/// Runs `work` in its own subtransaction. A refusal rolls the subtransaction back and is returned. `checks_deferred`:
/// whether deferred constraints are checked at its end; only if the caller had no deferred work before.
pub fn attempt<R>(work: impl FnOnce() -> R, checks_deferred: bool) -> Result<R, Refusal> {
    subtransaction::attempt(|later| {
        later.open();
        let result = work();
        if checks_deferred {
            deferred::check();
        }
        result
    })
}

/// Raises a WARNING, for the caller and the server's log, about what did not become an error.
pub fn warn(message: String) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "multica").report(PgLogLevel::WARNING);
}

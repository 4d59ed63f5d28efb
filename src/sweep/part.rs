//! A sweep in parts, each in its own transaction, so that an error in housekeeping does not roll back a verdict.

use std::cell::Cell;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::{Done, Held, Sweep};
use crate::argument::{one_of, required, seconds};
use crate::lifecycle::writer;
use crate::postgres::entry::entry;

extension_sql_file!(
    "../../sql/extension/comments/sweep_part.sql",
    name = "sweep_part_comments",
    requires = [multica_sweep_part]
);

const VERDICTS: &str = "verdicts";
const HOUSEKEEPING: &str = "housekeeping";
const NONE: &str = "none";

/// A part of a sweep.
#[derive(Clone, Copy)]
pub enum Part {
    /// Verdicts and repairs. If there is nothing to write, housekeeping follows in the same transaction, so that an
    /// idle sweep is one transaction.
    Verdicts,
    /// Housekeeping, for a sweep whose verdicts are committed.
    Housekeeping(Begun),
}

/// What a part did.
pub struct Ran {
    /// The part that is due next, in another transaction; None if nothing is left to do.
    pub next: Option<Part>,
    /// Whether it held its verdicts.
    pub held: Option<Held>,
}

/// A sweep whose verdicts are committed.
#[derive(Clone, Copy)]
pub struct Begun {
    id: Uuid,
    /// When it began, if it is counted among the sweeps that did something.
    counted: Option<TimestampWithTimeZone>,
}

impl Part {
    /// Runs the part. `stale`: the seconds after which a runtime is stale, instead of the threshold in force.
    /// `is_housekeeping` is true from the first statement of housekeeping on, because an error after that rolls back no
    /// verdict.
    pub fn run(self, stale: Option<f64>, is_housekeeping: &Cell<bool>) -> Ran {
        let mut sweep = Sweep::begin(stale);
        let next = self.run_in(&mut sweep, is_housekeeping);
        Ran { next, held: sweep.guard.held }
    }

    fn run_in(self, sweep: &mut Sweep, is_housekeeping: &Cell<bool>) -> Option<Self> {
        match self {
            Self::Verdicts => {
                let (rest, more) = writer::write(sweep.now, |writer| {
                    is_housekeeping.set(false);
                    sweep.call(|call| {
                        let mut done = sweep.verdicts(writer, call);
                        let has_written = writer.has_written();
                        if !has_written {
                            is_housekeeping.set(true);
                            sweep.housekeeping(writer, &mut done, call);
                        }
                        sweep.finish(writer, &mut done, call);
                        let begun = Begun { id: sweep.id, counted: done.anything().then_some(sweep.now) };
                        (has_written.then_some(Self::Housekeeping(begun)), done.more)
                    })
                });
                // All verdicts that are due come before housekeeping.
                if more { Some(Self::Verdicts) } else { rest }
            }
            Self::Housekeeping(begun) => {
                is_housekeeping.set(true);
                sweep.id = begun.id;
                sweep.continues = begun.counted;
                let more = writer::write(sweep.now, |writer| {
                    sweep.call(|call| {
                        let mut done = Done::default();
                        sweep.housekeeping(writer, &mut done, call);
                        sweep.finish(writer, &mut done, call);
                        done.more
                    })
                });
                more.then_some(Self::Verdicts)
            }
        }
    }
}

thread_local! {
    /// The sweep to which the next housekeeping of this session belongs.
    static BEGUN: Cell<Option<Begun>> = const { Cell::new(None) };
}

/// Runs one part of a sweep, for the procedure that commits between the parts.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_sweep_part(part: Option<&str>, stale_secs: default!(Option<f64>, "NULL")) -> &'static str {
    entry(|| {
        let part = required("part", part)?;
        one_of("part", part, &[VERDICTS, HOUSEKEEPING])?;
        let stale = stale_secs.map(|given| seconds("stale_secs", Some(given))).transpose()?;
        // Taken for either part, because a sweep whose COMMIT failed has no housekeeping.
        let part = match BEGUN.take() {
            Some(begun) if part == HOUSEKEEPING => Part::Housekeeping(begun),
            _ => Part::Verdicts,
        };
        let ran = part.run(stale, &Cell::default());
        if let (Some(held), Part::Verdicts) = (ran.held, part) {
            held.tell();
        }
        Ok(match ran.next {
            Some(Part::Verdicts) => VERDICTS,
            Some(Part::Housekeeping(begun)) => {
                BEGUN.set(Some(begun));
                HOUSEKEEPING
            }
            None => NONE,
        })
    })
}

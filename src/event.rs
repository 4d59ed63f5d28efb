//! The outbox: what happened, recorded in the transaction in which it happened, and read without gaps.

mod log;
mod record;
mod told;
mod trim;
pub mod wake;

use pgrx::prelude::*;

use crate::argument::{excerpt, key, required};
use crate::clock;
use crate::entry::entry;
use crate::error::{Error, Result, Word};
use crate::kind::{Event, Reader};
use crate::refusal::unless_referred_to;
use crate::row::{Composite, set};
use crate::spi::{Statement, arg};

use log::Asker;
pub use log::{Log, Repair, lock_state, repair};
pub use record::Events;
pub use told::Told;
pub use trim::trim;

static BOUND: Statement = Statement::write(include_str!("../sql/event/bound.sql"));
static LOWEST_HELD: Statement = Statement::write(include_str!("../sql/event/lowest_held.sql"));
static READ: Statement = Statement::write(include_str!("../sql/event/read.sql")).of_visible_rows();
static POSITION: Statement =
    Statement::write(include_str!("../sql/event/position.sql")).of_visible_rows();
static ADD_READER: Statement = Statement::write(include_str!("../sql/event/add_reader.sql"));
static LOCK_READER: Statement =
    Statement::write(include_str!("../sql/event/lock_reader.sql")).of_visible_rows();
static MOVE_READER: Statement =
    Statement::write(include_str!("../sql/event/move_reader.sql")).of_visible_rows();
static FORGET_READER: Statement =
    Statement::write(include_str!("../sql/event/forget_reader.sql")).of_visible_rows();
static READERS: Statement =
    Statement::read(include_str!("../sql/event/readers.sql")).of_visible_rows();

extension_sql_file!(
    "../sql/install/comments/event.sql",
    name = "event_comments",
    requires = [
        multica_events,
        multica_take_events,
        multica_forget_reader,
        multica_list_readers
    ]
);

/// The id up to which no open transaction can still commit an event, while there is one that may commit any.
fn lowest_held() -> Option<i64> {
    LOWEST_HELD.row(&[], |row| row.get(1)).flatten()
}

/// The events after `after_id` that no open transaction can still precede.
fn read(after: i64, most: i64) -> Result<Vec<(i64, Composite<Event>)>> {
    let drawn: i64 = BOUND.row(&[], |row| row.must(1)).unwrap_or_default();
    log::settle(drawn, Asker::Reader { after })?;
    let upto = lowest_held().map_or(drawn, |held| held.min(drawn));
    Ok(READ.rows(&[arg(after), arg(upto), arg(most)], |row| {
        (row.must(1), Composite::from_row(row))
    }))
}

/// Reading in order needs a fresh snapshot between its steps and sight of every lock of the primary.
fn readable_here() -> Result<()> {
    if unsafe { pg_sys::RecoveryInProgress() } {
        return Err(Error::state(
            Word::OnStandby,
            "events cannot be read on a standby",
            "The locks that keep readers from skipping events are on the primary.",
            "Read events on the primary.",
        ));
    }
    if unsafe { pg_sys::XactIsoLevel } > pg_sys::XACT_READ_COMMITTED as i32 {
        return Err(Error::state(
            Word::WrongIsolation,
            "events can be read in a READ COMMITTED transaction only",
            "Above it the transaction's snapshot is older than the locks that are looked at, and events could be skipped.",
            "Use BEGIN ISOLATION LEVEL READ COMMITTED.",
        ));
    }
    Ok(())
}

/// Never a silent gap: what was trimmed unread is an error, and so is a position that this log cannot have given. Asked after the
/// events were read, so that a trim in between is noticed too.
fn kept_since(after: i64, hint: impl FnOnce(i64) -> String) -> Result<()> {
    let (trimmed, is_lost): (i64, bool) = POSITION
        .row(&[arg(after)], |row| (row.must(1), row.must(2)))
        .unwrap_or_default();
    if after < trimmed {
        return Err(Error::state(
            Word::EventsTrimmed,
            format!("events after {after} are no longer all kept"),
            format!(
                "Events up to {trimmed} were trimmed after multica.event_retention, or removed."
            ),
            hint(trimmed),
        ));
    }
    if is_lost {
        return Err(Error::state(
            Word::LogRestarted,
            format!("event {after} is not in the event log"),
            "The log has begun anew since that event: it was restored, emptied, or taken over from another server.",
            hint(trimmed),
        ));
    }
    Ok(())
}

fn most_events(max_events: Option<i32>) -> Result<i64> {
    let most = required("max_events", max_events)?;
    if most < 1 {
        return Err(Error::invalid(
            "max_events",
            format!("{most} is below 1"),
            "Pass 1 or more.",
        ));
    }
    Ok(i64::from(most))
}

/// The events after an id, in order, for a reader that remembers by itself how far it has read.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_events(
    after_id: default!(Option<i64>, "0"),
    max_events: default!(Option<i32>, "1000"),
) -> SetOfIterator<'static, Composite<Event>> {
    entry(|| {
        let after = required("after_id", after_id)?;
        if after < 0 {
            let problem = format!("{after} is below 0");
            let hint = "Pass the id of the last event read, or 0 to begin.";
            return Err(Error::invalid("after_id", problem, hint));
        }
        let most = most_events(max_events)?;
        readable_here()?;
        let events = read(after, most)?;
        kept_since(after, |trimmed| {
            format!(
                "Build your state anew from the tables, then go on with multica_events(after_id => {trimmed})."
            )
        })?;
        Ok(set(events.into_iter().map(|(_, event)| event).collect()))
    })
}

/// The next events of a named reader, whose position moves in the caller's transaction.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_take_events(
    reader: Option<&str>,
    max_events: default!(Option<i32>, "1000"),
) -> SetOfIterator<'static, Composite<Event>> {
    entry(|| {
        let reader = required("reader", reader)?;
        key("reader", reader)?;
        let most = most_events(max_events)?;
        readable_here()?;
        let now = clock::now();
        let position: i64 = match LOCK_READER.row(&[arg(reader)], |row| row.must(1)) {
            Some(position) => position,
            None => {
                ADD_READER.run(&[arg(reader), arg(now)]);
                LOCK_READER
                    .row(&[arg(reader)], |row| row.must(1))
                    .ok_or_else(|| {
                        Error::state(
                            Word::TryAgain,
                            format!(
                                "reader \"{}\" was forgotten by another session meanwhile",
                                excerpt(reader)
                            ),
                            "",
                            "Repeat the call to begin anew.",
                        )
                    })?
            }
        };
        let events = read(position, most)?;
        kept_since(position, |_| {
            let name = pgrx::spi::quote_literal(reader);
            format!(
                "Build the reader's state anew from the tables, then begin anew: SELECT multica_forget_reader({name});"
            )
        })?;
        if let Some((last, _)) = events.last()
            && MOVE_READER.run(&[arg(reader), arg(*last), arg(now)]) == 0
        {
            return Err(Error::kept_out(
                format!("reader \"{}\" could not be moved on", excerpt(reader)),
                "A trigger on multica_event_reader keeps its position as it is.",
            ));
        }
        Ok(set(events.into_iter().map(|(_, event)| event).collect()))
    })
}

/// Forgets a named reader: nothing is kept for it any longer. True: there was one.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_forget_reader(reader: Option<&str>) -> bool {
    entry(|| {
        let reader = required("reader", reader)?;
        let forgotten = unless_referred_to(format!("reader \"{}\"", excerpt(reader)), || {
            FORGET_READER.run(&[arg(reader)])
        });
        Ok(forgotten > 0)
    })
}

/// Every named reader and how far it has come, the slowest first.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_list_readers() -> SetOfIterator<'static, Composite<Reader>> {
    entry(|| Ok(set(READERS.rows(&[], Composite::from_row))))
}

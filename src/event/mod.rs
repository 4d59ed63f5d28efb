//! The calls that read the event log. Events are recorded in the transaction of the change and are read without gaps.

mod former;

use pgrx::Uuid;
use pgrx::prelude::*;

use crate::argument::{excerpt, key, required};
use crate::error::{Error, Result, Word};
use crate::lifecycle::event::{Asker, ensure_next_id, lowest_held};
use crate::postgres::clock;
use crate::postgres::composite::{Composite, set};
use crate::postgres::entry::entry;
use crate::postgres::refusal::unless_referred_to;
use crate::postgres::statement::{Statement, arg};
use crate::types::{Event, Reader};

static BOUND: Statement = Statement::volatile(sql!("event/bound.sql"));
static READ: Statement = Statement::volatile(sql!("event/read.sql")).of_visible_rows();
static READ_OF_WORKSPACE: Statement =
    Statement::volatile(sql!("event/read_of_workspace.sql")).of_visible_rows().in_index_order().led_by(c"workspace_id");
static LAST: Statement = Statement::volatile(sql!("event/last.sql")).of_visible_rows();
static POSITION: Statement = Statement::volatile(sql!("event/position.sql")).of_visible_rows();
static ADD_READER: Statement = Statement::volatile(sql!("event/add_reader.sql"));
static LOCK_READER: Statement = Statement::volatile(sql!("event/lock_reader.sql")).of_visible_rows();
static MOVE_READER: Statement = Statement::volatile(sql!("event/move_reader.sql")).of_visible_rows();
static FORGET_READER: Statement = Statement::volatile(sql!("event/forget_reader.sql")).of_visible_rows();
static READERS: Statement = Statement::stable(sql!("event/readers.sql")).of_visible_rows();

extension_sql_file!(
    "../../sql/extension/comments/event.sql",
    name = "event_comments",
    requires = [multica_events_since_0_4, multica_take_events_since_0_4, multica_forget_reader, multica_list_readers]
);

/// The events that a reader wants.
#[derive(Clone, Copy)]
struct Wanted {
    /// At most so many.
    limit: i64,
    /// Only those of this workspace.
    workspace: Option<Uuid>,
}

/// Events that were read.
struct Events {
    /// Each with its id, in the order of the ids.
    all: Vec<(i64, Composite<Event>)>,
    /// No event up to this id can still be committed.
    through: i64,
}

impl Wanted {
    fn of(max_events: Option<i32>, workspace: Option<Uuid>) -> Result<Self> {
        let limit = required("max_events", max_events)?;
        if limit < 1 {
            return Err(Error::invalid("max_events", format!("{limit} is below 1"), "Pass 1 or more."));
        }
        Ok(Self { limit: i64::from(limit), workspace })
    }
}

/// Returns the events after the id `after`. An event is not returned yet while an open transaction can still commit an
/// event with a lower id.
fn read(after: i64, wanted: Wanted) -> Result<Events> {
    let drawn: i64 = BOUND.row(&[], |row| row.must(1)).unwrap_or_default();
    ensure_next_id(drawn, Asker::Reader { after })?;
    let through = lowest_held().map_or(drawn, |held| held.min(drawn));
    let mut args = vec![arg(after), arg(through), arg(wanted.limit)];
    args.extend(wanted.workspace.map(arg));
    let statement = if wanted.workspace.is_some() { &READ_OF_WORKSPACE } else { &READ };
    let all = statement.rows(&args, |row| (row.must(1), Composite::from_row(row)));
    Ok(Events { all, through })
}

/// Returns the position of a reader that was at `after` and has been given `events`. If these are all events of its
/// workspace, it continues after the events of the other workspaces too: it must not keep them from being trimmed, nor
/// miss them when they are. The position is always the id of an event, as that of a reader of all events.
fn position_after(events: &Events, after: i64, wanted: Wanted) -> i64 {
    let last = events.all.last().map_or(after, |(id, _)| *id);
    if wanted.workspace.is_none() || events.all.len() as i64 >= wanted.limit {
        return last;
    }
    let of_others: Option<i64> = LAST.row(&[arg(events.through)], |row| row.get(1)).flatten();
    of_others.map_or(last, |id| id.max(last))
}

/// Checks that events can be read in order here: each step needs a new snapshot, and all locks of the primary must be
/// visible.
fn readable_here() -> Result<()> {
    // SAFETY: reads shared memory, in a process that is connected to it.
    if unsafe { pg_sys::RecoveryInProgress() } {
        return Err(Error::state(
            Word::OnStandby,
            "events cannot be read on a standby",
            "The locks that keep readers from skipping events are on the primary.",
            "Read events on the primary.",
        ));
    }
    // SAFETY: a variable of this process, which only this thread writes.
    if unsafe { pg_sys::XactIsoLevel } > pg_sys::XACT_READ_COMMITTED as i32 {
        return Err(Error::state(
            Word::WrongIsolation,
            "events can be read only in a READ COMMITTED transaction",
            "At a higher isolation level, the snapshot is older than the locks that are checked, so events could be skipped.",
            "Use BEGIN ISOLATION LEVEL READ COMMITTED.",
        ));
    }
    Ok(())
}

/// Returns an error if events after `after` were trimmed, or if `after` is not a position in this log, so that no
/// reader misses events without an error. Must be called after the events were read, so that a trim in the meantime is
/// noticed too.
fn kept_since(after: i64, hint: impl FnOnce(i64) -> String) -> Result<()> {
    let (trimmed, is_lost): (i64, bool) =
        POSITION.row(&[arg(after)], |row| (row.must(1), row.must(2))).unwrap_or_default();
    if after < trimmed {
        return Err(Error::state(
            Word::EventsTrimmed,
            format!("events after {after} have been trimmed"),
            format!("Events up to {trimmed} were trimmed after multica.event_retention, or were removed."),
            hint(trimmed),
        ));
    }
    if is_lost {
        return Err(Error::state(
            Word::LogRestarted,
            format!("event {after} is not in the event log"),
            "The log was restored, emptied or moved to another server after that event, or the id was never assigned.",
            hint(trimmed),
        ));
    }
    Ok(())
}

/// Returns the events after an id, in order, for a reader that stores its position itself.
fn events(
    after_id: Option<i64>,
    max_events: Option<i32>,
    workspace_id: Option<Uuid>,
) -> Result<SetOfIterator<'static, Composite<Event>>> {
    let after = required("after_id", after_id)?;
    if after < 0 {
        let problem = format!("{after} is below 0");
        let hint = "Pass the id of the last event that you read, or 0 to read from the beginning.";
        return Err(Error::invalid("after_id", problem, hint));
    }
    let wanted = Wanted::of(max_events, workspace_id)?;
    readable_here()?;
    let events = read(after, wanted)?;
    kept_since(after, |trimmed| {
        format!("Rebuild your state from the tables, then continue with multica_events(after_id => {trimmed}).")
    })?;
    Ok(rows(events))
}

/// Returns the next events of a named reader, and moves its position.
fn take_events(
    reader: Option<&str>,
    max_events: Option<i32>,
    workspace_id: Option<Uuid>,
) -> Result<SetOfIterator<'static, Composite<Event>>> {
    let reader = required("reader", reader)?;
    key("reader", reader)?;
    let wanted = Wanted::of(max_events, workspace_id)?;
    readable_here()?;
    let now = clock::now();
    let position = lock_reader(reader, now)?;
    let events = read(position, wanted)?;
    let next = position_after(&events, position, wanted);
    kept_since(position, |_| {
        let name = pgrx::spi::quote_literal(reader);
        format!("Rebuild the reader's state from the tables, then start again: SELECT multica_forget_reader({name});")
    })?;
    if next > position && MOVE_READER.run(&[arg(reader), arg(next), arg(now)]) == 0 {
        return Err(Error::kept_out(
            format!("the position of reader \"{}\" could not be moved", excerpt(reader)),
            "A trigger on multica_event_reader keeps the position unchanged.",
        ));
    }
    Ok(rows(events))
}

/// Locks a named reader, which is made if it does not exist, and returns its position.
fn lock_reader(reader: &str, now: TimestampWithTimeZone) -> Result<i64> {
    if let Some(position) = LOCK_READER.row(&[arg(reader)], |row| row.must(1)) {
        return Ok(position);
    }
    ADD_READER.run(&[arg(reader), arg(now)]);
    LOCK_READER.row(&[arg(reader)], |row| row.must(1)).ok_or_else(|| {
        Error::state(
            Word::TryAgain,
            format!("reader \"{}\" was forgotten by another session in the meantime", excerpt(reader)),
            "",
            "Repeat the call; the reader then starts with the oldest event that is kept.",
        )
    })
}

fn rows(events: Events) -> SetOfIterator<'static, Composite<Event>> {
    set(events.all.into_iter().map(|(_, event)| event).collect())
}

/// Returns the events after an id, in order, for a reader that stores its position itself.
#[pg_extern(name = "multica_events")]
#[search_path(@extschema@, pg_temp)]
fn multica_events_since_0_4(
    after_id: default!(Option<i64>, "0"),
    max_events: default!(Option<i32>, "1000"),
    workspace_id: default!(Option<Uuid>, "NULL"),
) -> SetOfIterator<'static, Composite<Event>> {
    entry(|| events(after_id, max_events, workspace_id))
}

/// Returns the next events of a named reader, and moves its position in the caller's transaction.
#[pg_extern(name = "multica_take_events")]
#[search_path(@extschema@, pg_temp)]
fn multica_take_events_since_0_4(
    reader: Option<&str>,
    max_events: default!(Option<i32>, "1000"),
    workspace_id: default!(Option<Uuid>, "NULL"),
) -> SetOfIterator<'static, Composite<Event>> {
    entry(|| take_events(reader, max_events, workspace_id))
}

/// Deletes a named reader, so that no events are kept for it any longer. Returns whether the reader existed.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_forget_reader(reader: Option<&str>) -> bool {
    entry(|| {
        let reader = required("reader", reader)?;
        let forgotten =
            unless_referred_to(format!("reader \"{}\"", excerpt(reader)), || FORGET_READER.run(&[arg(reader)]));
        Ok(forgotten > 0)
    })
}

/// Returns every named reader with its position, slowest first.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_list_readers() -> SetOfIterator<'static, Composite<Reader>> {
    entry(|| Ok(set(READERS.rows(&[], Composite::from_row))))
}

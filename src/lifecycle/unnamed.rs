//! Tasks that a daemon has and does not name in its heartbeats. A heartbeat stores them in `multica_task_unnamed`, and a
//! sweep fails those that have been unnamed for long enough: their daemon has lost them.
//!
//! A heartbeat that names every task of its daemon writes nothing here. No heartbeat waits here: a row that another
//! session holds keeps its content, and the next heartbeat comes soon.

use std::collections::HashSet;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::features::Feature;
use super::records;
use super::status_sets::{IN_FLIGHT, NAMED};
use super::writer::Writer;
use crate::postgres::statement::{Statement, arg};

static TASKS_IN_FLIGHT: Statement = Statement::volatile(sql!("lifecycle/unnamed/in_flight.sql"));
static HOLD_RUNTIME: Statement =
    Statement::volatile(sql!("lifecycle/unnamed/hold_runtime.sql")).of_visible_rows().by_id();
static HOLD: Statement = Statement::volatile(sql!("lifecycle/unnamed/hold.sql"));
static INSERT: Statement = Statement::volatile(sql!("lifecycle/unnamed/insert.sql"));
static CONFIRM: Statement = Statement::volatile(sql!("lifecycle/unnamed/confirm.sql"));
static FORGET: Statement = Statement::volatile(sql!("lifecycle/unnamed/forget.sql"));
static OF_OTHERS: Statement = Statement::volatile(sql!("lifecycle/unnamed/of_others.sql")).in_index_order().by_id();

type Time = Option<TimestampWithTimeZone>;

/// A list of tasks that a daemon works on, compared with the tasks in flight on its runtime.
pub struct Compared {
    /// The tasks of the list that are no longer in flight on the runtime, in the order of the list.
    pub to_stop: Vec<Uuid>,
    /// The tasks that the list should name and does not, with the time of their claim.
    unnamed: Vec<(Uuid, Time)>,
    /// The tasks of the runtime that are stored as unnamed.
    stored: Vec<Uuid>,
}

impl Compared {
    /// Compares the tasks that the daemon of a runtime names, and takes no locks. Returns None if there is no index of
    /// the tasks of a runtime: the search would read the history of the runtime at each heartbeat.
    pub fn read(runtime: Uuid, named: &[Uuid]) -> Option<Self> {
        if !Feature::RuntimeIndex.is_present() {
            return None;
        }
        let (mut in_flight, mut unnamed, mut stored) = (HashSet::new(), Vec::new(), Vec::new());
        let said: HashSet<Uuid> = named.iter().copied().collect();
        let statuses = IN_FLIGHT.map(String::from).to_vec();
        TASKS_IN_FLIGHT.rows(&[arg(runtime), arg(statuses)], |row| {
            let (task, status): (Uuid, Option<&str>) = (row.must(1), row.get(2));
            let Some(status) = status else { return stored.push(task) };
            in_flight.insert(task);
            if NAMED.contains(&status) && !said.contains(&task) {
                unnamed.push((task, row.get(3)));
            }
        });
        let to_stop = named.iter().copied().filter(|task| !in_flight.contains(task)).collect();
        Some(Self { to_stop, unnamed, stored })
    }

    /// Stores what the heartbeat of the runtime at `now` did not name. What it names again, or what the daemon does not
    /// have any more, is forgotten.
    pub fn store(self, runtime: Uuid, now: TimestampWithTimeZone) {
        if !Feature::Signs.is_present() {
            return;
        }
        let stored: HashSet<Uuid> = self.stored.iter().copied().collect();
        let held = hold(self.stored);
        let is_unnamed: HashSet<Uuid> = self.unnamed.iter().map(|(task, _)| *task).collect();
        let (again, named): (Vec<Uuid>, Vec<Uuid>) = held.into_iter().partition(|task| is_unnamed.contains(task));
        if !named.is_empty() {
            FORGET.run(&[arg(named)]);
        }
        let again: HashSet<Uuid> = again.into_iter().collect();
        let (known, new): (Vec<_>, Vec<_>) = self.unnamed.into_iter().partition(|(task, _)| stored.contains(task));
        write(&CONFIRM, runtime, known.into_iter().filter(|(task, _)| again.contains(task)).collect(), now);
        // Whoever inserts rows of a runtime holds it. Otherwise a second heartbeat would wait for the key that the first
        // one has inserted and not committed.
        if !new.is_empty() && !HOLD_RUNTIME.rows(&[arg(runtime)], |_| ()).is_empty() {
            write(&INSERT, runtime, new, now);
        }
    }
}

fn write(statement: &Statement, runtime: Uuid, tasks: Vec<(Uuid, Time)>, now: TimestampWithTimeZone) {
    if !tasks.is_empty() {
        let (ids, claimed): (Vec<Uuid>, Vec<Time>) = tasks.into_iter().unzip();
        statement.run(&[arg(runtime), arg(ids), arg(claimed), arg(now)]);
    }
}

/// Locks those of the tasks that are stored as unnamed, without waiting, and returns them.
fn hold(tasks: Vec<Uuid>) -> Vec<Uuid> {
    if tasks.is_empty() { Vec::new() } else { HOLD.rows(&[arg(tasks)], |row| row.must(1)) }
}

/// Forgets that tasks were unnamed which a registration or a recovery names.
pub fn named(tasks: Vec<Uuid>) {
    if tasks.is_empty() || !Feature::Signs.is_present() {
        return;
    }
    let held = hold(tasks);
    if !held.is_empty() {
        FORGET.run(&[arg(held)]);
    }
}

/// Deletes what is stored about tasks that their daemon does not have any more, at most `limit` rows; returns whether
/// there may be more.
pub fn forget(limit: i64, writer: &mut Writer) -> bool {
    records::forget(&OF_OTHERS, &FORGET, limit, writer)
}

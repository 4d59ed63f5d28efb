//! Decides which steps run in this call of install and which are left to the next one.
//!
//! A lock that excludes every reader must be short. Therefore a call that alters a large table scans no table and builds
//! no index; a later call, which has nothing left to alter, does that under locks that let the fleet go on.

use super::Installation;
use super::locks::Lock;
use super::step::{Action, Kind, Step};
use super::tables::TASKS;
use crate::postgres::ddl;
use crate::postgres::statement::{Statement, arg};
use crate::settings;

static ROW_BEYOND: Statement = Statement::volatile(sql!("install/row_beyond.sql"));
static CONCURRENTLY: Statement = Statement::volatile(sql!("install/concurrently.sql"));

/// A table with more rows than this is large.
const LARGE: i64 = 10_000;

/// The steps of a call.
pub struct Schedule {
    /// What runs now, in its order, and what is only reported.
    pub now: Vec<Step>,
    /// The objects that are left to the next call.
    pub left: Vec<String>,
}

/// Divides the steps. Indexes of tables with more than `multica.build_limit` rows are built only if `build` is set.
pub fn schedule(mut steps: Vec<Step>, place: &Installation, build: bool) -> Schedule {
    let has_more_rows = |table: &str, than: i64| -> bool {
        let args = [arg(place.schema.clone()), arg(table.to_string()), arg(than)];
        let query: Option<String> = ROW_BEYOND.row(&args, |row| row.must(1));
        query.is_some_and(|query| ddl::finds(&query))
    };
    if !build {
        leave_to_owner(&mut steps, |table| has_more_rows(table, settings::build_limit()));
    }
    let mut large: Vec<String> = Vec::new();
    for (table, _) in steps.iter().flat_map(|step| &step.locks) {
        if !large.contains(table) && has_more_rows(table, LARGE) {
            large.push(table.clone());
        }
    }
    refuse_large_keys(&mut steps, &large);
    let builds_for_tasks = |step: &Step| step.kind == Kind::Index && step.is_of(TASKS);
    // Statements still read the former indexes while a new one is missing.
    if steps.iter().any(|step| builds_for_tasks(step) && !step.runs()) {
        steps.retain(|step| !step.waits_for_indexes());
    }
    divide(steps, &large)
}

fn divide(steps: Vec<Step>, large: &[String]) -> Schedule {
    let stops_fleet =
        |step: &Step| step.locks.iter().any(|(table, lock)| *lock == Lock::Everything && large.contains(table));
    let alters = steps.iter().any(|step| !step.waits_for_indexes() && stops_fleet(step));
    let builds = steps.iter().any(|step| step.kind == Kind::Index && step.runs());
    let scans = steps.iter().any(|step| step.scans() && step.runs());
    let exchanges = steps.iter().any(|step| step.waits_for_indexes() && stops_fleet(step));
    let is_left = |step: &Step| {
        let too_long = alters && step.scans();
        let too_early = (alters && builds) || (exchanges && scans);
        step.runs() && (too_long || too_early && step.waits_for_indexes())
    };
    let (left, mut now): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(is_left);
    let mut left: Vec<String> = left.into_iter().map(|step| step.object).collect();
    if now.iter().any(stops_fleet) {
        for step in now.iter_mut().filter(|step| step.runs()) {
            if let (Kind::Constraint | Kind::StatusCheck, Some(ddl)) = (step.kind, &mut step.ddl) {
                ddl.push_str(" NOT VALID");
                left.push(step.object.clone());
            }
        }
    }
    Schedule { now, left }
}

/// Only reports the indexes of tables with too many rows, with a statement that stops no other session.
fn leave_to_owner(steps: &mut [Step], is_too_large: impl Fn(&str) -> bool) {
    for step in steps.iter_mut().filter(|step| step.kind == Kind::Index && step.runs()) {
        if step.locks.iter().any(|(table, _)| is_too_large(table)) {
            step.action = Action::Missing;
            step.ddl = CONCURRENTLY.row(&[arg(step.ddl.clone())], |row| row.must(1));
        }
    }
}

/// Only reports the keys of large tables, because a key is built under a lock that excludes every reader.
fn refuse_large_keys(steps: &mut [Step], large: &[String]) {
    for step in steps.iter_mut().filter(|step| step.kind == Kind::Key) {
        if step.locks.iter().any(|(table, _)| large.contains(table)) {
            step.action = Action::Missing;
            step.locks.clear();
        }
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::{Lock, Schedule, Step, divide};
    use crate::install::step::{Action, Kind};
    use crate::install::tables::TASKS;

    /// The steps that migrate a task table, in the order in which install plans them.
    fn migration(done: usize) -> Vec<Step> {
        let step = |object: &str, action, kind, lock| Step::new(object, action, "x").of(kind).locking(TASKS, lock);
        let all = [
            step("column", Action::Created, Kind::Plain, Lock::Everything),
            step("check", Action::Created, Kind::Constraint, Lock::Everything),
            step("index", Action::Created, Kind::Index, Lock::Writes),
            step("status", Action::Altered, Kind::StatusCheck, Lock::Everything),
            step("former", Action::Dropped, Kind::FormerIndex, Lock::Everything),
        ];
        all.into_iter().skip(done).collect()
    }

    fn objects(schedule: &Schedule) -> (Vec<&str>, Vec<&str>) {
        let now = schedule.now.iter().map(|step| step.object.as_str()).collect();
        (now, schedule.left.iter().map(String::as_str).collect())
    }

    #[pg_test]
    fn large_table_is_altered_then_scanned() {
        let large = [TASKS.to_string()];
        let first = divide(migration(0), &large);
        assert_eq!(objects(&first), (vec!["column", "check"], vec!["index", "status", "former", "check"]));
        assert_eq!(first.now[1].ddl.as_deref(), Some("x NOT VALID"));
        let second = divide(migration(2), &large);
        assert_eq!(objects(&second), (vec!["index"], vec!["status", "former"]));
        let third = divide(migration(3), &large);
        assert_eq!(objects(&third), (vec!["status", "former"], vec!["status"]));
        assert_eq!(third.now[0].ddl.as_deref(), Some("x NOT VALID"));
    }

    #[pg_test]
    fn small_tables_need_one_call() {
        let all = divide(migration(0), &[]);
        assert_eq!(objects(&all), (vec!["column", "check", "index", "status", "former"], vec![]));
        assert_eq!(all.now[1].ddl.as_deref(), Some("x"));
    }
}

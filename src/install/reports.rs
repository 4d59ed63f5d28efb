//! What install reports and does not change, because the owner of the tables must decide.

use super::Installation;
use super::catalog::Relation;
use super::origin::Origin;
use super::step::{Action, Step};
use super::tables::TASKS;
use crate::postgres::ddl;
use crate::postgres::statement::{Statement, arg};
use crate::settings;

static ENDED_WITHOUT_TIME: Statement = Statement::volatile(sql!("install/ended_without_time.sql")).of_whole_tables();
static UNVALIDATED_CHECKS: Statement = Statement::volatile(sql!("install/unvalidated_checks.sql"));
static RAISE_THRESHOLD: Statement = Statement::volatile(sql!("install/raise_threshold.sql"));

const SET_END_TIMES: &str = sql!("install/set_end_times.sql");

/// The shortest time of silence, in seconds, after which a runtime may be taken for dead where a server keeps
/// heartbeats in Redis. A runtime that is alive can be silent in the table for 105 seconds.
const SHORTEST_THRESHOLD: f64 = 150.0;

/// Returns a step for each finding.
pub fn reports(place: &Installation, origin: &Origin, relations: &[Relation]) -> Vec<Step> {
    if !origin.is_there(TASKS) {
        return Vec::new();
    }
    let mut steps = violated_checks(place, relations);
    if ENDED_WITHOUT_TIME.row(&[], |row| row.must(1)).unwrap_or(false) {
        let repair = SET_END_TIMES.trim_end();
        steps.push(Step::new(format!("{TASKS}.completed_at"), Action::Reported, repair));
    }
    if origin.is_later_than_055() && settings::stale_after_secs() < SHORTEST_THRESHOLD {
        let repair: Option<String> = RAISE_THRESHOLD.row(&[arg(SHORTEST_THRESHOLD.to_string())], |row| row.must(1));
        steps.extend(repair.map(|repair| Step::new("multica.stale_after", Action::Reported, repair)));
    }
    steps
}

/// Returns a step for each check that rows violate. Postgres enforces a check that was never validated for new rows
/// only. The statement of the step finds the rows.
fn violated_checks(place: &Installation, relations: &[Relation]) -> Vec<Step> {
    let tables: Vec<String> = relations.iter().map(|relation| relation.name.clone()).collect();
    let checks: Vec<(String, String)> =
        UNVALIDATED_CHECKS.rows(&[arg(place.oid), arg(tables)], |row| (row.required("object"), row.required("query")));
    let violated = checks.into_iter().filter(|(_, query)| ddl::finds(query));
    violated.map(|(object, query)| Step::new(object, Action::Reported, query)).collect()
}

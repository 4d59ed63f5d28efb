//! What install reports and does not change, because the owner of the tables must decide.

use super::Installation;
use super::catalog::Relation;
use super::origin::Origin;
use super::step::{Action, Step};
use super::tables::TASKS;
use crate::lifecycle::features::Feature;
use crate::lifecycle::thresholds::SHORTEST_BESIDE_REDIS;
use crate::postgres::ddl;
use crate::postgres::statement::{Statement, arg};
use crate::settings;

static ENDED_WITHOUT_TIME: Statement = Statement::volatile(sql!("install/ended_without_time.sql")).of_whole_tables();
static UNVALIDATED_CHECKS: Statement = Statement::volatile(sql!("install/unvalidated_checks.sql"));
static MAKE_AUTOMATIC: Statement = Statement::volatile(sql!("install/make_automatic.sql"));

const SET_END_TIMES: &str = sql!("install/set_end_times.sql");

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
    if origin.is_later_than_055() {
        for (name, _) in short_thresholds() {
            steps.extend(make_automatic(name).map(|repair| Step::new(name, Action::Reported, repair)));
        }
    }
    steps
}

/// Returns the settings that are too short where a server can keep heartbeats in Redis, with their values in seconds.
pub fn short_thresholds() -> Vec<(&'static str, f64)> {
    if !Feature::RedisEra.is_present() {
        return Vec::new();
    }
    let set = [
        ("multica.stale_after", settings::stale_after_secs()),
        ("multica.offline_grace", settings::offline_grace_secs()),
    ];
    let short = |(name, secs): (&'static str, Option<f64>)| Some((name, secs?));
    set.into_iter().filter_map(short).filter(|(_, secs)| *secs < SHORTEST_BESIDE_REDIS).collect()
}

/// Returns the statement that makes a threshold of this database automatic.
pub fn make_automatic(setting: &str) -> Option<String> {
    MAKE_AUTOMATIC.row(&[arg(setting)], |row| row.must(1))
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

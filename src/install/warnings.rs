//! Warnings about what install accepts but a database administrator must decide.

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::catalog::{DeclaredSchema, Relation};
use super::tables::{TASKS, table_names};
use super::{Installation, reports};
use crate::lifecycle::status_sets::KNOWN;
use crate::postgres::statement::{Statement, arg};

static LOOSE_TRIGGERS: Statement = Statement::volatile(sql!("install/triggers_without_search_path.sql"));
static UNFILLED_COLUMNS: Statement = Statement::volatile(sql!("install/unfilled_columns.sql"));
static STATUSES: Statement = Statement::volatile(sql!("install/statuses.sql"));
static UNKNOWN_STATUS: Statement = Statement::volatile(sql!("install/unknown_status.sql")).of_whole_tables();

static FORCED: Statement = Statement::stable(sql!("install/forced_row_security.sql"));

/// Raises a warning if row-level security is forced on the owner of the tables, because a sweep of the worker gets an
/// error as soon as it reads a row that policies hide from the owner.
pub fn warn_of_forced_row_security() {
    if let Some(tables) = FORCED.row(&[arg(table_names())], |row| row.get::<String>(1)).flatten() {
        warning(
            format!("row-level security is forced on the owner of {tables}"),
            "Sweeps run as the owner, and fail when they depend on rows that policies hide from the owner.",
            "Run ALTER TABLE name NO FORCE ROW LEVEL SECURITY; or add a policy that shows the owner all rows.".into(),
        );
    }
}

/// Raises a warning for each threshold that is too short where a server can keep heartbeats in Redis.
pub fn warn_of_short_thresholds() {
    for (name, secs) in reports::short_thresholds() {
        let kills = match name {
            "multica.offline_grace" => {
                "fail the tasks in flight of runtimes that have only lost their connection for a moment"
            }
            _ => "set runtimes offline that are alive, and these get no task until their next heartbeat",
        };
        warning(
            format!("{name} is {secs} s, and the heartbeats in these tables can be 105 s old"),
            &format!("The server can keep heartbeats in Redis. Sweeps {kills}."),
            reports::make_automatic(name).map(|repair| format!("Run {repair};")).unwrap_or_default(),
        );
    }
}

/// Raises the warnings about the schema and the adopted tables.
pub fn warn(place: &Installation, wanted: &DeclaredSchema, relations: &[Relation]) {
    if place.open_to_all {
        warning(
            format!("every role may create objects in schema {}", place.schema),
            "The functions of multica look names up in this schema.",
            format!("Run REVOKE CREATE ON SCHEMA {} FROM PUBLIC;", place.schema),
        );
    }
    warn_of_forced_row_security();
    warn_of_short_thresholds();
    warn_of_unknown_statuses(place, relations);
    let adopted: Vec<String> = relations.iter().map(|it| it.name.clone()).collect();
    let args = [arg(place.oid), arg(adopted.clone())];
    if let Some(functions) = LOOSE_TRIGGERS.row(&args, |row| row.get::<String>(1)).flatten() {
        warning(
            format!("trigger functions without a search_path of their own: {functions}"),
            "When a function of multica fires them, they run with the search_path of that function.",
            "Set one for each of them: ALTER FUNCTION ... SET search_path = ...;".into(),
        );
    }
    let known = wanted.all.columns.iter();
    let known: Vec<String> = known.map(|it| format!("{}.{}", it.table, it.name)).collect();
    let args = [arg(place.oid), arg(adopted), arg(known)];
    if let Some(columns) = UNFILLED_COLUMNS.row(&args, |row| row.get::<String>(1)).flatten() {
        warning(
            format!("unknown columns that are NOT NULL and have no default: {columns}"),
            "A function of multica that inserts a row into such a table fails, unless a trigger fills the column.",
            "Set a default for each of them: ALTER TABLE ... ALTER COLUMN ... SET DEFAULT ...;".into(),
        );
    }
}

/// Raises a warning if a task can have a status that this version does not know. The rows are read only if no validated
/// CHECK excludes such a status.
fn warn_of_unknown_statuses(place: &Installation, relations: &[Relation]) {
    if !relations.iter().any(|relation| relation.name == TASKS) {
        return;
    }
    let known = |word: &String| KNOWN.contains(&word.as_str());
    let checks: Vec<(Vec<String>, bool)> = STATUSES
        .rows(&[arg(place.oid), arg(TASKS.to_string())], |row| (row.required("words"), row.required("is_validated")));
    let listed = checks.iter().flat_map(|(words, _)| words).find(|word| !known(word)).cloned();
    let is_excluded = checks.iter().any(|(words, is_validated)| *is_validated && words.iter().all(known));
    let stored = || {
        let all: Vec<String> = KNOWN.map(String::from).to_vec();
        UNKNOWN_STATUS.row(&[arg(all)], |row| row.must::<String>(1))
    };
    if let Some(status) = listed.or_else(|| if is_excluded { None } else { stored() }) {
        warning(
            format!("task status \"{status}\" is unknown to this version"),
            "A task with an unknown status counts as active and in flight, and no function of multica changes it.",
            "Install a version of multica that knows this status.".into(),
        );
    }
}

fn warning(message: String, detail: &str, hint: String) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "multica")
        .set_detail(detail)
        .set_hint(hint)
        .report(PgLogLevel::WARNING);
}

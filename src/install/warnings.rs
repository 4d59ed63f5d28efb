//! Warnings about what install accepts but a database administrator must decide.

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::Installation;
use super::catalog::{DeclaredSchema, Relation};
use super::tables::table_names;
use crate::postgres::statement::{Statement, arg};

static LOOSE_TRIGGERS: Statement = Statement::volatile(sql!("install/triggers_without_search_path.sql"));
static UNFILLED_COLUMNS: Statement = Statement::volatile(sql!("install/unfilled_columns.sql"));

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

fn warning(message: String, detail: &str, hint: String) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "multica")
        .set_detail(detail)
        .set_hint(hint)
        .report(PgLogLevel::WARNING);
}

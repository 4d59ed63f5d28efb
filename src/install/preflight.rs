//! What install refuses to adopt. All checks are done before anything is changed.

use pgrx::prelude::*;

use super::Installation;
use super::catalog::{DeclaredSchema, Relation, Shape};
use super::origin::Origin;
use super::plan::{find_column, is_required};
use crate::error::{Error, Result, Word};
use crate::postgres::statement::{Statement, arg};

static RUNTIME_KEY: Statement = Statement::volatile(sql!("install/runtime_key.sql"));

/// Returns the first reason not to adopt the existing tables.
pub fn refuse(
    place: &Installation,
    wanted: &DeclaredSchema,
    origin: &Origin,
    relations: &[Relation],
    found: &Shape,
) -> Result<()> {
    not_a_table(relations)?;
    not_multica(wanted, origin, found)?;
    other_type(wanted, found)?;
    other_key(place.oid)?;
    other_owner(place, relations)
}

fn not_a_table(relations: &[Relation]) -> Result<()> {
    let Some(other) = relations.iter().find(|relation| !relation.is_table) else {
        return Ok(());
    };
    Err(Error::state(
        Word::TableConflict,
        format!("\"{}\" is not a table", other.name),
        "multica works only with ordinary and partitioned tables.",
        ELSEWHERE,
    ))
}

fn not_multica(wanted: &DeclaredSchema, origin: &Origin, found: &Shape) -> Result<()> {
    let all = wanted.all.columns.iter();
    for column in all.filter(|column| is_required(wanted, origin, column) && origin.is_there(&column.table)) {
        if find_column(found, column).is_none() {
            return Err(Error::state(
                Word::TableConflict,
                format!("table \"{}\" is not a table of Multica", column.table),
                format!("It has no column \"{}\".", column.name),
                ELSEWHERE,
            ));
        }
    }
    Ok(())
}

fn other_type(wanted: &DeclaredSchema, found: &Shape) -> Result<()> {
    for column in &wanted.all.columns {
        let Some(there) = find_column(found, column) else {
            continue;
        };
        let is_later_type = LATER_TYPES.contains(&(&column.table, &column.name, &there.type_name));
        if there.oid != column.oid && !is_later_type {
            return Err(Error::state(
                Word::TableConflict,
                format!(
                    "column \"{}\" of table \"{}\" has type {}, not {}",
                    column.name, column.table, there.type_name, column.type_name
                ),
                "",
                ELSEWHERE,
            ));
        }
    }
    Ok(())
}

fn other_key(namespace: pg_sys::Oid) -> Result<()> {
    let reason: Option<(String, String)> = RUNTIME_KEY.row(&[arg(namespace)], |row| (row.must(1), row.must(2)));
    match reason {
        None => Ok(()),
        Some((message, detail)) => Err(Error::Unsupported {
            word: Word::UnknownSchema,
            message,
            detail,
            hint:
                "Install a version of multica that understands this schema, or install multica in a schema of its own."
                    .into(),
        }),
    }
}

fn other_owner(place: &Installation, relations: &[Relation]) -> Result<()> {
    let Some(first) = relations.first() else {
        return Ok(());
    };
    if relations.iter().any(|it| it.owner != first.owner) {
        let owners: Vec<String> =
            relations.iter().map(|it| format!("\"{}\" belongs to {}", it.name, it.owner)).collect();
        return Err(Error::Privilege {
            message: "the tables of multica belong to different roles".into(),
            detail: format!("{}.", owners.join(", ")),
            hint: "Assign them to one role with ALTER TABLE ... OWNER TO.".into(),
        });
    }
    if first.is_ours {
        return Ok(());
    }
    Err(Error::Privilege {
        message: format!("the tables of multica belong to {}", first.owner),
        detail: format!("The current role is {}.", place.caller),
        hint: format!("Run the function as {} or as a superuser.", first.owner),
    })
}

/// Columns whose type the server's migrations have changed, with the later type. No statement depends on the type.
const LATER_TYPES: [(&str, &str, &str); 1] = [("issue", "due_date", "date")];

const ELSEWHERE: &str = "Nothing was changed. Install the extension in the schema of the server's tables, or in a schema \
                         of its own: DROP EXTENSION multica; CREATE EXTENSION multica SCHEMA ...;";

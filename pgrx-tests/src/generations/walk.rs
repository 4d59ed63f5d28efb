//! The statements that change a database from one catalogue to another, in three parts. They work on tables with rows.
//! The first part drops the objects that the target does not have. The last part creates the constraints, so that rows
//! can be changed before Postgres checks them.

use std::collections::BTreeMap;

use super::catalogue::{Catalogue, Column, Constraint, Named, each};

/// Drops the objects that the target does not have, or has with another definition.
pub fn take_down(from: &Catalogue, to: &Catalogue) -> Vec<String> {
    let mut statements = Vec::new();
    for (table, trigger) in without(&from.triggers, &to.triggers) {
        statements.push(format!("DROP TRIGGER {} ON {}", quoted(&trigger.name), quoted(table)));
    }
    for function in from.functions.difference(&to.functions) {
        let signature = function.split(" RETURNS ").next().unwrap_or(function);
        statements.push(format!("DROP FUNCTION {signature}"));
    }
    // Foreign keys are dropped first, because each depends on a unique constraint of the table that it refers to.
    let mut constraints = without(&from.constraints, &to.constraints);
    constraints.sort_by_key(|(_, constraint)| std::cmp::Reverse(rank(constraint)));
    for (table, constraint) in constraints {
        statements.push(format!("ALTER TABLE {} DROP CONSTRAINT {}", quoted(table), quoted(&constraint.name)));
    }
    for (_, index) in without(&from.indexes, &to.indexes) {
        statements.push(format!("DROP INDEX {}", quoted(&index.name)));
    }
    for table in from.columns.keys().filter(|table| !to.columns.contains_key(*table)) {
        statements.push(format!("DROP TABLE {}", quoted(table)));
    }
    statements
}

/// Creates tables, and drops, adds and alters columns.
pub fn reshape(from: &Catalogue, to: &Catalogue) -> Vec<String> {
    let mut statements = Vec::new();
    for (table, columns) in &to.columns {
        let Some(old) = from.columns.get(table) else {
            let columns: Vec<String> = columns.iter().map(declaration).collect();
            statements.push(format!("CREATE TABLE {} (\n    {}\n)", quoted(table), columns.join(",\n    ")));
            continue;
        };
        let table = quoted(table);
        for column in old.iter().filter(|column| find(columns, &column.name).is_none()) {
            statements.push(format!("ALTER TABLE {table} DROP COLUMN {}", quoted(&column.name)));
        }
        for column in columns {
            match find(old, &column.name) {
                None => statements.push(format!("ALTER TABLE {table} ADD COLUMN {}", declaration(column))),
                Some(before) => statements.extend(
                    alterations(before, column).into_iter().map(|change| format!("ALTER TABLE {table} {change}")),
                ),
            }
        }
    }
    statements
}

/// Creates the constraints, indexes and triggers that are missing.
pub fn put_up(from: &Catalogue, to: &Catalogue) -> Vec<String> {
    let mut statements = Vec::new();
    let mut constraints = without(&to.constraints, &from.constraints);
    constraints.sort_by_key(|(_, constraint)| rank(constraint));
    for (table, Constraint { name, definition, .. }) in constraints {
        statements.push(format!("ALTER TABLE {} ADD CONSTRAINT {} {definition}", quoted(table), quoted(name)));
    }
    statements.extend(without(&to.indexes, &from.indexes).into_iter().map(|(_, index)| index.definition.clone()));
    for (_, trigger) in without(&to.triggers, &from.triggers) {
        statements.push(format!("CREATE TRIGGER {} {}", quoted(&trigger.name), trigger.definition));
    }
    statements
}

/// Returns the objects that the other catalogue does not have with the same definition, with their tables.
fn without<'a, T: Named>(
    objects: &'a BTreeMap<String, Vec<T>>,
    other: &BTreeMap<String, Vec<T>>,
) -> Vec<(&'a String, &'a T)> {
    let same = |table: &str, object: &T| other.get(table).and_then(|list| find(list, object.name())) == Some(object);
    each(objects).filter(|(table, object)| !same(table, object)).collect()
}

fn find<'a, T: Named>(list: &'a [T], name: &str) -> Option<&'a T> {
    list.iter().find(|object| object.name() == name)
}

/// Returns the position of a constraint in the order of creation. Foreign keys come last, because they refer to keys.
fn rank(constraint: &Constraint) -> u8 {
    match constraint.kind {
        'p' | 'u' => 0,
        'f' => 2,
        _ => 1,
    }
}

fn declaration(column: &Column) -> String {
    let null = if column.not_null { " NOT NULL" } else { "" };
    let default = column.default.as_ref().map_or_else(String::new, |default| format!(" DEFAULT {default}"));
    format!("{} {}{null}{default}", quoted(&column.name), column.data_type)
}

fn alterations(before: &Column, column: &Column) -> Vec<String> {
    let (name, Column { data_type, not_null, default, .. }) = (quoted(&column.name), column);
    let mut changes = Vec::new();
    if before.data_type != *data_type {
        changes.push(format!("ALTER COLUMN {name} TYPE {data_type} USING {name}::{data_type}"));
    }
    if before.default != *default {
        changes.push(match default {
            Some(default) => format!("ALTER COLUMN {name} SET DEFAULT {default}"),
            None => format!("ALTER COLUMN {name} DROP DEFAULT"),
        });
    }
    if before.not_null != *not_null {
        let verb = if *not_null { "SET" } else { "DROP" };
        changes.push(format!("ALTER COLUMN {name} {verb} NOT NULL"));
    }
    changes
}

/// Quotes an identifier. Keywords such as `user` and `position` are valid then.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

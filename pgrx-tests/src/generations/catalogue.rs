//! The shape of a database: its tables, columns, constraints, indexes, triggers and functions, as Postgres prints them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use postgres::Client;
use serde::Deserialize;

/// Returns the catalogue of a database as JSON.
const READ: &str = include_str!("../../fixtures/generations/read_catalogue.sql");

/// The objects of a schema, by table name.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Catalogue {
    /// Columns in the order of the table.
    pub columns: BTreeMap<String, Vec<Column>>,
    /// Constraints.
    pub constraints: BTreeMap<String, Vec<Constraint>>,
    /// Indexes that belong to no constraint.
    pub indexes: BTreeMap<String, Vec<Index>>,
    /// Triggers.
    pub triggers: BTreeMap<String, Vec<Trigger>>,
    /// Functions, as `name(arguments) RETURNS type`.
    pub functions: BTreeSet<String>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, with the type modifier.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it is `NOT NULL`.
    pub not_null: bool,
    /// The expression of its default.
    pub default: Option<String>,
}

/// One constraint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// `p` for a primary key, `u` for a unique constraint, `c` for a check, `f` for a foreign key.
    pub kind: char,
    /// Whether Postgres has checked that every row satisfies it.
    pub validated: bool,
    /// The text after the name in `ADD CONSTRAINT`, with `NOT VALID`.
    pub definition: String,
}

/// One index that belongs to no constraint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Whether it is unique.
    pub unique: bool,
    /// Whether it is valid, that is, completely built.
    pub valid: bool,
    /// The statement that creates it.
    pub definition: String,
}

/// One trigger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The text after the name in `CREATE TRIGGER`.
    pub definition: String,
}

/// An object that belongs to a table.
pub trait Named: PartialEq {
    /// Returns its name, which is unique among the objects of its kind on one table.
    fn name(&self) -> &str;
}

macro_rules! named {
    ($($kind:ty),+) => {
        $(impl Named for $kind {
            fn name(&self) -> &str {
                &self.name
            }
        })+
    };
}

named!(Column, Constraint, Index, Trigger);

impl Trigger {
    /// Returns the function that it calls.
    fn function(&self) -> Result<&str> {
        let call = self.definition.split(" EXECUTE FUNCTION ").nth(1).context("a trigger calls a function")?;
        Ok(call.split('(').next().unwrap_or(call))
    }
}

impl Catalogue {
    /// Reads the catalogue of schema `public`. The schema must be in the search path, so that Postgres prints names
    /// without the schema.
    pub fn read(client: &mut Client) -> Result<Catalogue> {
        let text: String = client.query_one(READ, &[])?.get(0);
        serde_json::from_str(&text).context("the catalogue of the database has another form than its type")
    }

    /// Converts a description into the catalogue of a database of this generation. Removes trigram indexes, because
    /// their operator class belongs to an extension. Adds the functions that triggers call, because the description
    /// does not list them among its functions.
    pub(super) fn completed(mut self) -> Result<Catalogue> {
        for indexes in self.indexes.values_mut() {
            indexes.retain(|index| !index.definition.contains("gin_trgm_ops"));
        }
        self.indexes.retain(|_, indexes| !indexes.is_empty());
        for trigger in self.triggers.values().flatten() {
            self.functions.insert(format!("{}() RETURNS trigger", trigger.function()?));
        }
        Ok(self)
    }

    /// Returns one line per object.
    pub fn objects(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (table, column) in each(&self.columns) {
            let null = if column.not_null { "NOT NULL" } else { "NULL" };
            let default = column.default.as_deref().unwrap_or("none");
            lines.insert(format!("column {table}.{}: {} {null}, default {default}", column.name, column.data_type));
        }
        for (table, constraint) in each(&self.constraints) {
            let Constraint { name, kind, validated, definition } = constraint;
            lines.insert(format!("constraint {name} of {table}: {kind}, validated {validated}, {definition}"));
        }
        for (table, index) in each(&self.indexes) {
            let Index { name, unique, valid, definition } = index;
            lines.insert(format!("index {name} of {table}: unique {unique}, valid {valid}, {definition}"));
        }
        for (table, trigger) in each(&self.triggers) {
            lines.insert(format!("trigger {} of {table}: {}", trigger.name, trigger.definition));
        }
        lines.extend(self.functions.iter().map(|function| format!("function {function}")));
        lines
    }

    /// Returns one line per table, with its columns in order.
    pub fn orders(&self) -> BTreeSet<String> {
        let names = |columns: &[Column]| columns.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
        self.columns.iter().map(|(table, columns)| format!("order {table}: {}", names(columns))).collect()
    }
}

/// Returns every object of one kind with its table.
pub fn each<T>(objects: &BTreeMap<String, Vec<T>>) -> impl Iterator<Item = (&String, &T)> {
    objects.iter().flat_map(|(table, list)| list.iter().map(move |object| (table, object)))
}

/// Returns one line per difference between two sets of lines; empty if they are equal.
pub fn differences(found: &BTreeSet<String>, expected: &BTreeSet<String>) -> Vec<String> {
    let missing = expected.difference(found).map(|line| format!("missing: {line}"));
    let surplus = found.difference(expected).map(|line| format!("surplus: {line}"));
    missing.chain(surplus).collect()
}

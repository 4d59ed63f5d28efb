//! The shape of a database: its tables, columns, constraints, indexes, triggers and functions, in Postgres' own words.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use postgres::Client;
use serde::Deserialize;

/// Returns the catalogue of a database as JSON.
const READ: &str = include_str!("../../fixtures/generations/read_catalogue.sql");

/// The objects of a schema, by the names of their tables.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Catalogue {
    /// Columns in the order of the table.
    pub columns: BTreeMap<String, Vec<Column>>,
    /// Constraints.
    pub constraints: BTreeMap<String, Vec<Constraint>>,
    /// Indexes, without those of constraints.
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
    /// Its type, with the modifier.
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
    /// `p` for a primary key, `u` for a unique one, `c` for a check, `f` for a foreign key.
    pub kind: char,
    /// Whether every row is known to satisfy it.
    pub validated: bool,
    /// What `ADD CONSTRAINT` takes after the name; it includes `NOT VALID`.
    pub definition: String,
}

/// One index that belongs to no constraint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Whether it is unique.
    pub unique: bool,
    /// Whether it is complete.
    pub valid: bool,
    /// The statement that creates it.
    pub definition: String,
}

/// One trigger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// What `CREATE TRIGGER` takes after the name.
    pub definition: String,
}

/// An object that belongs to a table.
pub trait Named: PartialEq {
    /// Its name, unique among the objects of its kind on one table.
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
    /// The function that it calls.
    fn function(&self) -> Result<&str> {
        let call = self.definition.split(" EXECUTE FUNCTION ").nth(1).context("a trigger calls a function")?;
        Ok(call.split('(').next().unwrap_or(call))
    }
}

impl Catalogue {
    /// The catalogue of schema `public`, which has to be in the search path: its names are then without the schema.
    pub fn read(client: &mut Client) -> Result<Catalogue> {
        let text: String = client.query_one(READ, &[])?.get(0);
        serde_json::from_str(&text).context("the catalogue of the database has another form than its type")
    }

    /// What a database of a described generation has. Indexes over trigrams are left out, because their operator class
    /// comes from an extension. Functions of triggers are added: the description has them in those of triggers alone.
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

    /// One line per object.
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

    /// One line per table, with its columns in their order.
    pub fn orders(&self) -> BTreeSet<String> {
        let names = |columns: &[Column]| columns.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
        self.columns.iter().map(|(table, columns)| format!("order {table}: {}", names(columns))).collect()
    }
}

/// Every object of one kind with its table.
pub fn each<T>(objects: &BTreeMap<String, Vec<T>>) -> impl Iterator<Item = (&String, &T)> {
    objects.iter().flat_map(|(table, list)| list.iter().map(move |object| (table, object)))
}

/// One line per difference of two sets of lines; empty if they are equal.
pub fn differences(found: &BTreeSet<String>, expected: &BTreeSet<String>) -> Vec<String> {
    let missing = expected.difference(found).map(|line| format!("missing: {line}"));
    let surplus = found.difference(expected).map(|line| format!("surplus: {line}"));
    missing.chain(surplus).collect()
}

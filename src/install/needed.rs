//! The indexes that install adds, as their file declares them, for the status.

use super::tables::INDEXES;
use crate::postgres::statement::render;

/// The indexes of the file: their names, tables, keys and predicates (empty for none).
#[derive(Default)]
pub struct NeededIndexes {
    /// The name of each index.
    pub names: Vec<String>,
    /// The name of its table.
    pub tables: Vec<String>,
    /// Its keys, in the words of the catalogue.
    pub keys: Vec<String>,
    /// Its predicate, in the words of the catalogue.
    pub predicates: Vec<String>,
}

impl NeededIndexes {
    /// Reads the file.
    pub fn of(has: impl Fn(&str) -> bool) -> Self {
        let mut needed = Self::default();
        for statement in render(INDEXES, has).split(';') {
            let words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            let (head, predicate) = words.split_once(" WHERE ").unwrap_or((&words, ""));
            let parts = head
                .strip_prefix("CREATE INDEX ")
                .and_then(|rest| rest.strip_suffix(')'))
                .and_then(|rest| rest.split_once(" ON "))
                .and_then(|(name, rest)| Some((name, rest.split_once(" (")?)));
            if let Some((name, (table, keys))) = parts {
                needed.names.push(name.to_string());
                needed.tables.push(table.to_string());
                needed.keys.push(keys.to_string());
                needed.predicates.push(predicate.to_string());
            }
        }
        needed
    }
}

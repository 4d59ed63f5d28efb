//! The tests of the catalogue by which features are found.

use pgrx::prelude::*;

use super::catalogue::Catalogue;

/// What the catalogue contains if a feature is present. All names belong to objects in the schema of the extension.
pub enum Test {
    /// The table has the column.
    Column(&'static str, &'static str),
    /// The table has the column, and it may be NULL.
    Nullable(&'static str, &'static str),
    /// A CHECK on this column alone lists the word, or no CHECK on this column alone lists words.
    Word(&'static str, &'static str, &'static str),
    /// A CHECK on this column alone lists words.
    Listed(&'static str, &'static str),
    /// A CHECK on this column alone lists a word other than these.
    OtherWord(&'static str, &'static str, &'static [&'static str]),
    /// A table, index or view of this name exists.
    Relation(&'static str),
    /// A function of this name with arguments of these types exists.
    Function(&'static str, &'static [pg_sys::Oid]),
    /// The table has a trigger on DELETE or on UPDATE of the column. Triggers internal to Postgres do not count.
    Trigger(&'static str, &'static str),
    /// The table has a trigger of this name. Triggers internal to Postgres do not count.
    NamedTrigger(&'static str, &'static str),
    /// The table has a valid unique index on exactly these columns with a predicate.
    UniqueIndex(&'static str, &'static [&'static str]),
    /// The table has such an index, and the predicate contains this text.
    UniqueIndexWith(&'static str, &'static [&'static str], &'static str),
    /// An index of the table contains the column, so every change of the column writes the index.
    Index(&'static str, &'static str),
    /// The table has a valid index of all rows whose first columns are these.
    WholeIndex(&'static str, &'static [&'static str]),
    /// All of these tests hold.
    All(&'static [Test]),
    /// At least one of these tests holds.
    Any(&'static [Test]),
    /// This test does not hold.
    Not(&'static Test),
}

impl Test {
    /// Calls `visit` for each test in this test that has no parts.
    pub(super) fn visit(&'static self, visit: &mut impl FnMut(&'static Self)) {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().for_each(|test| test.visit(visit)),
            Self::Not(test) => test.visit(visit),
            other => visit(other),
        }
    }

    /// Returns the table that a test without parts reads.
    pub(super) fn table(&self) -> Option<&'static str> {
        match self {
            Self::Column(table, _)
            | Self::Nullable(table, _)
            | Self::Word(table, ..)
            | Self::Listed(table, _)
            | Self::OtherWord(table, ..)
            | Self::Trigger(table, _)
            | Self::NamedTrigger(table, _)
            | Self::UniqueIndex(table, _)
            | Self::Index(table, _)
            | Self::WholeIndex(table, _)
            | Self::UniqueIndexWith(table, ..) => Some(table),
            Self::Relation(_) | Self::Function(..) | Self::All(_) | Self::Any(_) | Self::Not(_) => None,
        }
    }

    /// Whether the test holds for the catalogue as it was last read.
    pub(super) fn holds(&self, catalogue: &Catalogue) -> bool {
        let table = self.table().map(|name| catalogue.table(name));
        match (self, table) {
            (Self::All(tests), _) => tests.iter().all(|test| test.holds(catalogue)),
            (Self::Any(tests), _) => tests.iter().any(|test| test.holds(catalogue)),
            (Self::Not(test), _) => !test.holds(catalogue),
            (Self::Relation(name), _) => catalogue.has_relation(name),
            (Self::Function(name, arguments), _) => catalogue.has_function(name, arguments),
            (Self::Column(_, column), Some(Some(table))) => table.column(column).is_some(),
            (Self::Nullable(_, column), Some(Some(table))) => {
                table.column(column).is_some_and(|column| column.is_nullable)
            }
            (Self::Word(_, column, word), Some(Some(table))) => {
                let mut lists = table.lists(column).peekable();
                lists.peek().is_none() || lists.flatten().any(|listed| listed == word)
            }
            (Self::Listed(_, column), Some(Some(table))) => table.lists(column).next().is_some(),
            (Self::OtherWord(_, column, words), Some(Some(table))) => {
                table.lists(column).flatten().any(|listed| !words.contains(&listed.as_str()))
            }
            (Self::Trigger(_, column), Some(Some(table))) => table.has_trigger(column),
            (Self::NamedTrigger(_, name), Some(Some(table))) => table.has_trigger_named(name),
            (Self::Index(_, column), Some(Some(table))) => table.has_index(column),
            (Self::WholeIndex(_, columns), Some(Some(table))) => table.has_whole_index(columns),
            (Self::UniqueIndex(_, columns), Some(Some(table))) => table.unique_indexes(columns).next().is_some(),
            (Self::UniqueIndexWith(_, columns, text), Some(Some(table))) => {
                table.unique_indexes(columns).flatten().any(|found| found == text)
            }
            (_, None | Some(None)) => false,
        }
    }
}

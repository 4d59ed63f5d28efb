//! The texts of a statement: one for each set of features with which this session has run it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;

use super::relations::{self, Relation};
use super::{Statement, text};
use crate::postgres::features::{self, Set};

/// A statement for a database with certain features.
pub struct Variant {
    /// The text, without comments.
    pub sql: &'static str,
    present: Set,
    /// The relations that the text names; empty for a statement that depends on no feature.
    relations: Vec<Relation>,
}

/// The variants of a statement that this session has run. They are never freed, because the planner's hook needs the
/// text while a plan of it exists. They are few, because tables are rarely altered.
struct Variants {
    named: Set,
    all: Vec<&'static Variant>,
}

thread_local! {
    static VARIANTS: RefCell<HashMap<usize, Variants>> = RefCell::default();
}

/// Returns the variant of a statement for the tables as they are now. Locks the relations that the variant names until
/// the end of the transaction, so that no other session alters them before the statement ends.
///
/// Another session may alter a table while this session waits for the lock. Therefore the features are read again under
/// the locks. If they have changed, another text is chosen. It may name other relations, so these are locked and the
/// features are read once more, until nothing changes.
pub fn of(statement: &Statement) -> &'static Variant {
    let (named, only) = VARIANTS.with_borrow_mut(|all| {
        let variants = all.entry(statement.key()).or_insert_with(|| Variants::of(statement));
        (variants.named, variants.named.is_empty().then(|| variants.for_features(statement, Set::EMPTY)))
    });
    if let Some(variant) = only {
        return variant;
    }
    let mut present = features::present(named);
    loop {
        let variant = VARIANTS.with_borrow_mut(|all| {
            let variants = all.get_mut(&statement.key()).expect("an entry is never removed");
            variants.for_features(statement, present)
        });
        variant.relations.iter().for_each(Relation::lock);
        let under_locks = features::present(named);
        if under_locks == present {
            return variant;
        }
        present = under_locks;
    }
}

fn set_of(name: &str) -> Set {
    features::named(name).unwrap_or_else(|| panic!("a statement names a feature that does not exist: {name}"))
}

impl Variants {
    fn of(statement: &Statement) -> Self {
        let named = text::names(statement.file).into_iter().map(set_of).fold(Set::EMPTY, Set::union);
        Self { named, all: Vec::new() }
    }

    fn for_features(&mut self, statement: &Statement, present: Set) -> &'static Variant {
        if let Some(known) = self.all.iter().find(|variant| variant.present == present) {
            return known;
        }
        let sql = text::render(statement.file, |name| present.contains(set_of(name)));
        let relations = match self.named.is_empty() {
            true => Vec::new(),
            false => relations::of(&CString::new(sql.as_str()).expect("statements hold no NUL byte")),
        };
        // Most files have comments at their top only. The library already contains their text, so no copy is leaked.
        let sql = match statement.file.find(&sql) {
            Some(at) => &statement.file[at..at + sql.len()],
            None => sql.leak(),
        };
        let variant: &'static Variant = Box::leak(Box::new(Variant { sql, present, relations }));
        self.all.push(variant);
        variant
    }
}

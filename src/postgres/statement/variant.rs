//! The texts of a statement: one for each set of features that it was run with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;

use super::relations::{self, Relation};
use super::{Statement, text};
use crate::postgres::features::{self, Set};

/// A statement as it is in a database with certain features.
pub struct Variant {
    /// Its text, without comments.
    pub sql: &'static str,
    present: Set,
    /// The relations that it names; empty for a statement that depends on no feature.
    relations: Vec<Relation>,
}

/// The variants of a statement that this session has run. They are never freed: features change as rarely as the
/// tables do, and the planner's hook needs the text for as long as a plan of it exists.
struct Variants {
    named: Set,
    all: Vec<&'static Variant>,
}

thread_local! {
    static VARIANTS: RefCell<HashMap<usize, Variants>> = RefCell::default();
}

/// The variant of a statement for this database as it is now. The relations that it names are locked until the end of the
/// transaction, so that no other session alters them between this look and the end of the statement.
///
/// A lock shows what was committed while it was waited for. So the features are looked at once more under the locks,
/// and again for as long as that leads to another text, which may name other relations.
pub fn of(statement: &Statement) -> &'static Variant {
    let named =
        VARIANTS.with_borrow_mut(|all| all.entry(statement.key()).or_insert_with(|| Variants::of(statement)).named);
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
        // Most files have comments at their top only, and their text is in the library already.
        let sql = match statement.file.find(&sql) {
            Some(at) => &statement.file[at..at + sql.len()],
            None => sql.leak(),
        };
        let variant: &'static Variant = Box::leak(Box::new(Variant { sql, present, relations }));
        self.all.push(variant);
        variant
    }
}

//! Features: what the tables of this database have or lack, and statements can do without.
//!
//! A feature is a name and a [`Test`] of the catalogue. A higher layer declares the features and passes them to
//! [`register`]. This module contains no name of a table. Each session keeps the results of the tests as a [`Set`]. It
//! runs a test again after Postgres has reported a change that may affect the result.

mod catalogue;
mod checks;
pub(in crate::postgres) mod names;
mod snapshot;
mod table;
mod test;
mod watch;

use std::cell::Cell;

pub use test::Test;

/// A feature: the name that the marks in `sql/` use, and its test of the catalogue.
pub struct Definition {
    /// The name, in lower case.
    pub name: &'static str,
    /// What the catalogue contains if the feature is present.
    pub test: Test,
}

/// A set of features. Each has a place: its index among the registered features.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Set(u64);

impl Set {
    /// The maximum number of features.
    pub const CAPACITY: usize = u64::BITS as usize;

    /// No feature.
    pub const EMPTY: Self = Self(0);

    /// The set of the one feature at this place.
    pub const fn of(place: usize) -> Self {
        Self(1 << place)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this set contains every feature of the other.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The features that are in at least one of the two sets.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The features that are in both sets.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The features that are in this set and not in the other.
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The places of the features, the lowest first.
    fn places(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let place = (left != 0).then_some(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(place)
        })
    }
}

thread_local! {
    static REGISTERED: Cell<&'static [Definition]> = const { Cell::new(&[]) };
}

/// Declares all features, and registers the callbacks that Postgres calls when the catalogue changes. Must be called
/// once, when the library is loaded.
pub fn register(all: &'static [Definition]) {
    assert!(all.len() <= Set::CAPACITY, "there are more features than a set can hold");
    REGISTERED.set(all);
    watch::register();
}

/// Returns the feature of this name.
pub fn named(name: &str) -> Option<Set> {
    REGISTERED.get().iter().position(|known| known.name == name).map(Set::of)
}

/// Returns the `asked` features that the tables have now. The result includes every change that was committed before,
/// and every change of this transaction. It does not depend on the transaction's snapshot.
///
/// Unless the caller holds a lock on the tables, another session can change them before the caller uses the result.
pub fn present(asked: Set) -> Set {
    if asked.is_empty() {
        return Set::EMPTY;
    }
    snapshot::present(asked)
}

/// Whether the tables have the feature of this name now, as [`present`] finds it. False for a name that no feature has.
pub fn is_present(name: &str) -> bool {
    named(name).is_some_and(|feature| !present(feature).is_empty())
}

/// Returns how often this session has read a part of the catalogue.
#[cfg(any(test, feature = "pg_test"))]
pub fn reads() -> usize {
    snapshot::reads()
}

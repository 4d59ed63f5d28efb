//! Features: what the tables of this database have, and statements may do without.
//!
//! A feature is a name and a [`Test`] of the catalogue. Which features there are is declared by a higher layer and
//! passed to [`register`]; nothing here knows a table. The results are a [`Set`], kept per session and computed again
//! when Postgres reports that something they were computed from may have changed.

mod catalogue;
mod checks;
mod names;
mod snapshot;
mod table;
mod test;
mod watch;

use std::cell::Cell;

pub use test::Test;

/// A feature: the name by which the files of `sql/` refer to it, and how the catalogue is asked for it.
pub struct Definition {
    /// Name, in lower case.
    pub name: &'static str,
    /// What the catalogue has where the feature is present.
    pub test: Test,
}

/// A set of features, by their place among the registered ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Set(u64);

impl Set {
    /// The most features that there can be.
    pub const CAPACITY: usize = u64::BITS as usize;

    /// No feature.
    pub const EMPTY: Self = Self(0);

    /// The one feature at this place.
    pub const fn of(place: usize) -> Self {
        Self(1 << place)
    }

    /// Whether there is no feature in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every feature of another set is in this one.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in one of the two.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this one and not in the other.
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The places of its features, the lowest first.
    fn places(self) -> impl Iterator<Item = usize> {
        (0..Self::CAPACITY).filter(move |place| self.contains(Self::of(*place)))
    }
}

thread_local! {
    static REGISTERED: Cell<&'static [Definition]> = const { Cell::new(&[]) };
}

/// Declares all features, and has Postgres report changes of the catalogue. Must be called once, when the library is
/// loaded.
pub fn register(all: &'static [Definition]) {
    assert!(all.len() <= Set::CAPACITY, "there are more features than a set can hold");
    REGISTERED.set(all);
    watch::register();
}

/// The feature of this name.
pub fn named(name: &str) -> Option<Set> {
    REGISTERED.get().iter().position(|known| known.name == name).map(Set::of)
}

/// Which of the `asked` features the tables have now: every change that was committed before, and every change of this
/// transaction, is seen, whatever the transaction's snapshot is.
///
/// The answer may be outdated as soon as it is there, unless the caller holds a lock on the tables in question.
pub fn present(asked: Set) -> Set {
    if asked.is_empty() {
        return Set::EMPTY;
    }
    snapshot::present(asked)
}

/// How often a part of the catalogue was read in this session.
#[cfg(any(test, feature = "pg_test"))]
pub fn reads() -> usize {
    snapshot::reads()
}

//! The features of this session's database, as the session last read them.

use std::cell::RefCell;

use pgrx::prelude::*;

use super::catalogue::Catalogue;
use super::watch::{self, Stale};
use super::{Definition, REGISTERED, Set};

struct Snapshot {
    features: &'static [Definition],
    catalogue: Catalogue,
    /// What must be current before the test of each feature runs.
    needs: Vec<Stale>,
    /// The features whose tests have run since the last reading.
    known: Set,
    /// The known features that are present.
    present: Set,
    reads: usize,
}

thread_local! {
    static SNAPSHOT: RefCell<Option<Snapshot>> = const { RefCell::new(None) };
}

/// Returns the `asked` features that are present.
pub fn present(asked: Set) -> Set {
    // SAFETY: called in a transaction. The callbacks that this function calls set flags and read nothing.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    SNAPSHOT.with_borrow_mut(|kept| {
        let snapshot = kept.get_or_insert_with(|| Snapshot::of(REGISTERED.get()));
        snapshot.read(asked);
        snapshot.present.intersection(asked)
    })
}

/// Returns how often a part of the catalogue was read.
#[cfg(any(test, feature = "pg_test"))]
pub fn reads() -> usize {
    SNAPSHOT.with_borrow(|kept| kept.as_ref().map_or(0, |snapshot| snapshot.reads))
}

impl Snapshot {
    fn of(features: &'static [Definition]) -> Self {
        let catalogue = Catalogue::of(features);
        let needs = features.iter().map(|feature| catalogue.needs(&feature.test)).collect();
        Self { features, catalogue, needs, known: Set::EMPTY, present: Set::EMPTY, reads: 0 }
    }

    /// Reads what the asked features depend on and has changed, and runs the tests whose results are unknown.
    fn read(&mut self, asked: Set) {
        let needs = asked.places().map(|place| self.needs[place]).fold(Stale::NOTHING, Stale::union);
        if watch::stale().intersection(needs) != Stale::NOTHING {
            self.refresh(needs);
        }
        let unknown = asked.difference(self.known);
        for place in unknown.places() {
            let feature = Set::of(place);
            self.known = self.known.union(feature);
            if self.features[place].test.holds(&self.catalogue) {
                self.present = self.present.union(feature);
            } else {
                self.present = self.present.difference(feature);
            }
        }
    }

    /// Reads until nothing is due. A change during the reading sets a flag again. The loop ends, because each such
    /// change requires a commit of another session.
    fn refresh(&mut self, needs: Stale) {
        let mut left = Stale::NOTHING;
        loop {
            pgrx::check_for_interrupts!();
            let due = watch::stale().intersection(needs).difference(left);
            if due == Stale::NOTHING {
                return;
            }
            self.known = Set::EMPTY;
            self.reads += 1;
            if due.intersection(Stale::NAMES) != Stale::NOTHING {
                self.catalogue.find();
            } else {
                left = left.union(self.catalogue.read(due));
            }
        }
    }
}

//! Where clients stop between two steps while somebody looks at what they have done.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Open at first.
#[derive(Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    inside: usize,
}

/// A client in the middle of a step.
pub struct Inside<'a>(&'a Gate);

impl Gate {
    /// Begins a step, as soon as the gate is open.
    pub fn enter(&self) -> Inside<'_> {
        let mut state =
            self.changed.wait_while(self.lock(), |state| state.closed).unwrap_or_else(PoisonError::into_inner);
        state.inside += 1;
        Inside(self)
    }

    /// Lets nobody begin another step. False: after `limit` somebody was still in the middle of one.
    pub fn close(&self, limit: Duration) -> bool {
        let mut state = self.lock();
        state.closed = true;
        let (state, _) = self
            .changed
            .wait_timeout_while(state, limit, |state| state.inside > 0)
            .unwrap_or_else(PoisonError::into_inner);
        state.inside == 0
    }

    /// Lets everybody go on.
    pub fn open(&self) {
        self.lock().closed = false;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
        self.0.changed.notify_all();
    }
}

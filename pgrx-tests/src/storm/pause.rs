//! Makes all clients pause between two steps, so that the test can check what they have done.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Whether the clients are paused, and how many of them are in a step. At first they are not paused.
#[derive(Default)]
pub struct Pause {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    paused: bool,
    in_step: usize,
}

/// A client in the middle of a step.
pub struct InStep<'a>(&'a Pause);

impl Pause {
    /// Begins a step as soon as the clients are not paused.
    pub fn begin_step(&self) -> InStep<'_> {
        let mut state =
            self.changed.wait_while(self.lock(), |state| state.paused).unwrap_or_else(PoisonError::into_inner);
        state.in_step += 1;
        InStep(self)
    }

    /// Lets no client begin another step. Returns false if a client was still in the middle of a step after `limit`.
    pub fn start(&self, limit: Duration) -> bool {
        let mut state = self.lock();
        state.paused = true;
        let (state, _) = self
            .changed
            .wait_timeout_while(state, limit, |state| state.in_step > 0)
            .unwrap_or_else(PoisonError::into_inner);
        state.in_step == 0
    }

    /// Lets the clients continue.
    pub fn end(&self) {
        self.lock().paused = false;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InStep<'_> {
    fn drop(&mut self) {
        self.0.lock().in_step -= 1;
        self.0.changed.notify_all();
    }
}

//! A gate in a lane's way: while it is shut, a whole wave of requests gathers behind the batch that stands in it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Stands in the clock that a lane asks before it decides. Open at first.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    opened: Condvar,
    reached: Notify,
}

#[derive(Debug, Default)]
struct State {
    shut: bool,
    /// Somebody stands in front of it.
    reached: bool,
}

impl Gate {
    pub(super) fn shut(&self) {
        *self.state() = State { shut: true, reached: false };
    }

    pub(super) fn open(&self) {
        self.state().shut = false;
        self.opened.notify_all();
    }

    /// Waits until somebody stands in front of the shut gate.
    pub(super) async fn is_reached(&self) {
        while !self.state().reached {
            self.reached.notified().await;
        }
    }

    /// Goes through, or waits until it is open. Not for async threads.
    pub(super) fn pass(&self) {
        let mut state = self.state();
        if state.shut {
            state.reached = true;
            self.reached.notify_one();
        }
        while state.shut {
            state = self.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

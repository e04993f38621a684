//! A gate for threads: so many are inside at the same time, the others wait. An instance pool that is empty would be an error.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Places that threads take and leave.
pub(super) struct Gate {
    free: Mutex<usize>,
    left: Condvar,
}

/// A place inside, left when dropped.
pub(super) struct Place<'a>(&'a Gate);

impl Gate {
    pub(super) fn new(places: usize) -> Gate {
        Gate { free: Mutex::new(places), left: Condvar::new() }
    }

    /// Waits for a place.
    pub(super) fn enter(&self) -> Place<'_> {
        let mut free = self.left.wait_while(self.free(), |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        // Nothing that can panic runs while it is locked.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free() += 1;
        self.0.left.notify_one();
    }
}

//! The windows of a book: six for each account that has any, and nothing for the others.

use crate::{Direction, Period, Window};
use alloc::vec::Vec;

/// Windows an account can have: one for each direction and period.
const WINDOWS_MAX: usize = 6;

/// No windows.
const NONE: u32 = u32::MAX;

/// The windows of all accounts of a book.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows {
    /// By place of the account: which six of `windows` are its own, or [`NONE`]. As long as it has to be.
    sixes: Vec<u32>,
    windows: Vec<Held>,
}

/// A place for a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// One without maxima was taken away.
    pub(super) window: Option<Window>,
    /// Whether a command changed it.
    pub(super) changed: bool,
}

impl Windows {
    /// Where the windows of an account are for one direction.
    fn range(&self, account: usize, direction: Direction) -> core::ops::Range<usize> {
        match self.sixes.get(account) {
            None | Some(&NONE) => 0..0,
            Some(six) => {
                let start = *six as usize * WINDOWS_MAX + number(direction, Period::Day);
                start..start + WINDOWS_MAX / 2
            }
        }
    }

    /// The windows of an account for one direction that limit anything, from the shortest, with where they are.
    pub(super) fn of(&self, account: usize, direction: Direction) -> impl Iterator<Item = (usize, &Window)> {
        let range = self.range(account, direction);
        let held = range.clone().zip(&self.windows[range]);
        held.filter_map(|(at, held)| held.window.as_ref().filter(|window| window.limits()).map(|window| (at, window)))
    }

    /// The one window that limits this, if there is one.
    pub(super) fn get(&self, account: usize, direction: Direction, period: Period) -> Option<&Window> {
        self.of(account, direction).map(|(_, window)| window).find(|window| window.period == period)
    }

    /// Where the window of an account is for this direction and period, whether there is one or not.
    pub(super) fn at(&mut self, account: usize, direction: Direction, period: Period) -> usize {
        if self.sixes.len() <= account {
            self.sixes.resize(account + 1, NONE);
        }
        if self.sixes[account] == NONE {
            let sixes = self.windows.len() / WINDOWS_MAX;
            self.sixes[account] = u32::try_from(sixes).expect("fewer accounts than 2^32");
            self.windows.resize(self.windows.len() + WINDOWS_MAX, Held { window: None, changed: false });
        }
        self.sixes[account] as usize * WINDOWS_MAX + number(direction, period)
    }

    pub(super) fn held(&self, at: usize) -> Held {
        self.windows[at]
    }

    pub(super) fn put(&mut self, at: usize, held: Held) {
        self.windows[at] = held;
    }

    /// What there is for an account that is gone, is gone too.
    pub(super) fn forget_from(&mut self, account: usize) {
        self.sixes.truncate(account);
    }

    /// How many accounts have room for windows here.
    pub(super) fn accounts(&self) -> usize {
        self.windows.len() / WINDOWS_MAX
    }

    /// Every window that limits anything, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().filter_map(|held| held.window.as_ref()).filter(|window| window.limits())
    }

    /// Every window that a command changed, with the place of its account, in the order of the places. One that was taken away has no maxima.
    pub(super) fn changed(&self) -> impl Iterator<Item = (usize, &Window)> {
        let accounts = self.sixes.iter().enumerate().filter(|(_, six)| **six != NONE);
        accounts.flat_map(|(account, six)| {
            let start = *six as usize * WINDOWS_MAX;
            let held = self.windows[start..start + WINDOWS_MAX].iter().filter(|held| held.changed);
            held.filter_map(move |held| held.window.as_ref().map(|window| (account, window)))
        })
    }
}

fn number(direction: Direction, period: Period) -> usize {
    let direction = match direction {
        Direction::Out => 0,
        Direction::In => 3,
    };
    direction
        + match period {
            Period::Day => 0,
            Period::Week => 1,
            Period::Month => 2,
        }
}

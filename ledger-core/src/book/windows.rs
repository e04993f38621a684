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
    /// True until the first window comes.
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Where the windows of an account begin, if it has room for any.
    fn start(&self, account: usize) -> Option<usize> {
        self.sixes.get(account).filter(|six| **six != NONE).map(|six| *six as usize * WINDOWS_MAX)
    }

    /// Where the windows of an account are for one direction.
    fn range(&self, account: usize, direction: Direction) -> core::ops::Range<usize> {
        let start = self.start(account).map(|start| start + number(direction, Period::Day));
        start.map_or(0..0, |start| start..start + WINDOWS_MAX / 2)
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

    /// Every window that a command changed, with the place of its account, in the order of the places. One that was taken away has no maxima.
    pub(super) fn changed(&self) -> impl Iterator<Item = (usize, &Window)> {
        (0..self.sixes.len()).flat_map(|account| self.changed_of(account).map(move |window| (account, window)))
    }

    /// Those of one account.
    pub(super) fn changed_of(&self, account: usize) -> impl Iterator<Item = &Window> {
        let six = self.start(account).map_or(&[][..], |start| &self.windows[start..start + WINDOWS_MAX]);
        six.iter().filter(|held| held.changed).filter_map(|held| held.window.as_ref())
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

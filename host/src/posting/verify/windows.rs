//! The proof of the windows: each row must be what the replay has at the journal's end, and no row may be missing.

use super::{Replay, Stop, fault};
use crate::posting::windows::{self, WindowKey};
use crate::store::{Error, Tx};
use ledger_core::{AccountId, Direction, Period, Window};

impl Replay<'_> {
    /// What a record makes of windows.
    pub(super) fn change_windows(&mut self, changed: &[Window]) {
        for window in changed {
            if window.limits() {
                self.windows.insert(windows::key(window), *window);
            } else {
                self.windows.remove(&windows::key(window));
            }
        }
    }

    /// The windows of these accounts.
    pub(super) fn windows_of(&self, account: AccountId) -> impl Iterator<Item = &Window> {
        let (first, last) = ((account, Direction::Out, Period::Day), (account, Direction::In, Period::Month));
        self.windows.range(first..=last).map(|(_, window)| window)
    }

    /// Compares all windows, when the replay is at the journal's end.
    pub(super) async fn compare_windows(&mut self, tx: &mut Tx) -> Result<(), Stop> {
        for row in windows::load_all(tx, self.id()).await? {
            let account = AccountId(row.id("account_id")?);
            let stored = windows::window(&row).map_err(|error| match error {
                Error::Corrupt(what) => fault(place_of(account, ""), what),
                error => Stop::Store(error),
            })?;
            let key = windows::key(&stored);
            match self.windows.remove(&key) {
                None => return Err(fault(place(key), "the journal knows nothing of it")),
                Some(replayed) if replayed != stored => {
                    let what = format!("it is stored as {stored:?} and the journal makes it {replayed:?}");
                    return Err(fault(place(key), what));
                }
                Some(_) => {}
            }
        }
        match self.windows.keys().next() {
            Some(key) => Err(fault(place(*key), "it is missing: nothing would be limited")),
            None => Ok(()),
        }
    }
}

fn place((account, direction, period): WindowKey) -> String {
    let way = match direction {
        Direction::Out => "out",
        Direction::In => "in",
    };
    let period = match period {
        Period::Day => "day",
        Period::Week => "week",
        Period::Month => "month",
    };
    place_of(account, &format!(" {way} by {period}"))
}

fn place_of(account: AccountId, what: &str) -> String {
    format!("account {} window{what}", crate::id_text(account.0))
}

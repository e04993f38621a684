//! Windows as the verdicts so far have made them, to hold what comes out of the sandbox against. Empty for most batches.

use super::EngineError;
use ledger_core::codec::CodecError;
use ledger_core::crossing::AnswerReader;
use ledger_core::{AccountId, Direction, Period, SetWindow, Timestamp, Transfer, Window};
use std::collections::BTreeMap;

type Key = (AccountId, Direction, Period);

/// The windows of the book, and what commands have made of them.
pub(super) struct Windows {
    windows: BTreeMap<Key, Held>,
}

#[derive(Clone, Copy)]
struct Held {
    /// As it came in, if it did.
    before: Option<Window>,
    /// One without maxima was taken away.
    now: Window,
}

impl Windows {
    pub(super) fn of(windows: &[Window]) -> Windows {
        let held = |window: &Window| (key(window), Held { before: Some(*window), now: *window });
        Windows { windows: windows.iter().map(held).collect() }
    }

    /// What an accepted command makes of a window. Tells whether the account has any from now on.
    pub(super) fn set(&mut self, set: &SetWindow, now: Timestamp) -> bool {
        let held = self.windows.get(&(set.account, set.direction, set.period)).copied();
        let before = held.map(|held| held.now).filter(Window::limits);
        let window = Window::set(before.as_ref(), set, now);
        self.windows.insert(key(&window), Held { before: held.and_then(|held| held.before), now: window });
        self.windows.values().any(|held| held.now.account == set.account && held.now.limits())
    }

    /// What a transfer that has come to its state does to the windows of one of its accounts.
    pub(super) fn count(&mut self, account: AccountId, direction: Direction, transfer: &Transfer, now: Timestamp) {
        let all = (account, direction, Period::Day)..=(account, direction, Period::Month);
        for (_, held) in self.windows.range_mut(all).filter(|(_, held)| held.now.limits()) {
            held.now = held.now.after(transfer, now);
        }
    }

    /// The windows that changed, in the order of accounts' ids: each is what the commands have made it, and none is missing. `id_at` tells the
    /// id of the account at a place.
    pub(super) fn changed(
        mut self,
        reader: &mut AnswerReader<'_>,
        id_at: impl Fn(usize) -> Option<AccountId>,
    ) -> Result<Vec<Window>, EngineError> {
        let malformed = |_: CodecError| EngineError::Nonsense("it is no answer");
        let mut changed = Vec::new();
        for _ in 0..reader.changes().map_err(malformed)? {
            let (_, window) = reader.window(&id_at).map_err(malformed)?;
            if self.windows.remove(&key(&window)).is_none_or(|held| held.now != window) {
                return Err(EngineError::Nonsense("a window is not what the commands have made it"));
            }
            changed.push(window);
        }
        if self.windows.values().any(|held| held.before != Some(held.now)) {
            return Err(EngineError::Nonsense("a window that has changed is not among those that did"));
        }
        changed.sort_unstable_by_key(key);
        Ok(changed)
    }
}

fn key(window: &Window) -> Key {
    (window.account, window.direction, window.period)
}

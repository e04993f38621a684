//! Windows as the verdicts so far have made them, to hold what comes out of the sandbox against. Empty for most batches.

use super::EngineError;
use foldhash::fast::RandomState;
use ledger_core::codec::CodecError;
use ledger_core::crossing::AnswerReader;
use ledger_core::{AccountId, Direction, SetWindow, Timestamp, Transfer, Window};
use std::collections::HashMap;

/// The windows of the book, and what commands have made of them.
pub(super) struct Windows {
    accounts: HashMap<AccountId, Vec<Held>, RandomState>,
}

#[derive(Clone, Copy)]
struct Held {
    /// As it came in, if it did.
    before: Option<Window>,
    /// One without maxima was taken away.
    now: Window,
    /// Whether the answer had it.
    told: bool,
}

impl Windows {
    pub(super) fn of(windows: &[Window]) -> Windows {
        let mut accounts: HashMap<AccountId, Vec<Held>, RandomState> = HashMap::default();
        for window in windows {
            let held = Held { before: Some(*window), now: *window, told: false };
            accounts.entry(window.account).or_default().push(held);
        }
        Windows { accounts }
    }

    /// What an accepted command makes of a window. Tells whether the account has any from now on.
    pub(super) fn set(&mut self, set: &SetWindow, now: Timestamp) -> bool {
        let all = self.accounts.entry(set.account).or_default();
        let found = all.iter_mut().find(|held| (held.now.direction, held.now.period) == (set.direction, set.period));
        match found {
            Some(held) => held.now = Window::set(Some(&held.now).filter(|before| before.limits()), set, now),
            None => all.push(Held { before: None, now: Window::set(None, set, now), told: false }),
        }
        all.iter().any(|held| held.now.limits())
    }

    /// What a transfer that has come to its state does to the windows of one of its accounts.
    pub(super) fn count(&mut self, account: AccountId, direction: Direction, transfer: &Transfer, now: Timestamp) {
        let all = self.accounts.get_mut(&account).into_iter().flatten();
        for held in all.filter(|held| held.now.direction == direction && held.now.limits()) {
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
            let mut all = self.accounts.get_mut(&window.account).into_iter().flatten();
            let held = all.find(|held| !held.told && held.now == window);
            held.ok_or(EngineError::Nonsense("a window is not what the commands have made it"))?.told = true;
            changed.push(window);
        }
        if self.accounts.values().flatten().any(|held| !held.told && held.before != Some(held.now)) {
            return Err(EngineError::Nonsense("a window that has changed is not among those that did"));
        }
        changed.sort_unstable_by_key(|window| (window.account, window.direction, window.period));
        Ok(changed)
    }
}

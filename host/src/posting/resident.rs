//! What a lane keeps in memory of its ledger: accounts as they are now, and which of them the database has not been given yet.
//!
//! Rows are written behind in *sweeps*: the accounts that changed are taken in the order of their ids, and each batch writes a few
//! of them with it, so that no batch waits for a bulk write and neighbours share a page. When a sweep has gone through, the database
//! has everything up to the record with which it began.
//!
//! Invariant: an account that is not here has its current state in the database.

use super::keys::{KeySlice, Keys};
use super::rows::AccountRow;
use foldhash::fast::RandomState;
use ledger_core::AccountId;
use std::collections::HashMap;

/// A map keyed by ids.
pub(super) type ById<K, V> = HashMap<K, V, RandomState>;

/// A place in the journal, and the last row of `transfer` that came from it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Mark {
    pub(super) seq: i64,
    pub(super) position: i64,
}

/// Accounts and keys of one ledger.
#[derive(Default, Debug)]
pub(super) struct Resident {
    places: ById<AccountId, u32>,
    slots: Vec<Slot>,
    /// Places of the accounts that changed and are not in the sweep.
    dirty: Vec<u32>,
    sweep: Sweep,
    pub(super) keys: Keys,
    /// The database has everything up to here.
    flushed: Mark,
    /// See [`Pace`](super::Pace).
    sweep_positions: i64,
}

#[derive(Clone, Debug)]
struct Slot {
    row: AccountRow,
    /// Waits in `dirty` or in the rest of the sweep.
    waits: bool,
}

/// The rows that are being written behind, in the order of their ids; keys have a sweep of their own that begins with it.
#[derive(Default, Debug)]
struct Sweep {
    accounts: Vec<u32>,
    accounts_done: usize,
    /// The end of the journal when the sweep began.
    began: Mark,
}

/// How accounts and keys were before a batch.
#[derive(Debug)]
pub(super) struct Undo {
    slots: Vec<(u32, Slot)>,
    opened: usize,
    changed: usize,
    kept: usize,
}

/// Rows to be written with a batch.
#[derive(Default, Debug)]
pub(super) struct Slice {
    pub(super) accounts: Vec<AccountRow>,
    pub(super) keys: KeySlice,
    /// What the database has everything up to, once they are written.
    pub(super) flushed: Mark,
}

impl Resident {
    /// Of a ledger of which the database has everything up to `flushed`.
    pub(super) fn new(flushed: Mark, sweep_positions: i64) -> Resident {
        let sweep = Sweep { began: flushed, ..Sweep::default() };
        Resident { flushed, sweep, sweep_positions, ..Resident::default() }
    }

    /// The account as it is now, if it is here.
    pub(super) fn account(&self, id: AccountId) -> Option<&AccountRow> {
        self.place(id).map(|place| self.at(place))
    }

    /// Where the account is.
    pub(super) fn place(&self, id: AccountId) -> Option<u32> {
        self.places.get(&id).copied()
    }

    pub(super) fn at(&self, place: u32) -> &AccountRow {
        &self.slots[place as usize].row
    }

    /// Takes in an account as the database has it.
    pub(super) fn admit(&mut self, row: AccountRow) -> u32 {
        let place = u32::try_from(self.slots.len()).expect("fewer than 2^32 accounts fit into memory");
        self.places.insert(row.account.id, place);
        self.slots.push(Slot { row, waits: false });
        place
    }

    /// The account, to be changed; it then waits to be written.
    pub(super) fn change(&mut self, place: u32) -> &mut AccountRow {
        let slot = &mut self.slots[place as usize];
        if !slot.waits {
            slot.waits = true;
            self.dirty.push(place);
        }
        &mut slot.row
    }

    /// Takes in an account as the database has it, in the place of what is here of it.
    pub(super) fn renew(&mut self, row: AccountRow) {
        match self.place(row.account.id) {
            Some(place) => self.slots[place as usize].row = row,
            None => drop(self.admit(row)),
        }
    }

    /// Another host has written everything that waits here: the database has it up to `flushed`.
    pub(super) fn written_elsewhere(&mut self, flushed: Mark) {
        let rest = self.sweep.accounts.drain(..);
        for place in self.dirty.drain(..).chain(rest) {
            self.slots[place as usize].waits = false;
        }
        self.sweep = Sweep { began: flushed, ..Sweep::default() };
        self.keys.written_elsewhere();
        self.flushed = flushed;
    }

    /// Whether everything of the sweep was taken.
    const fn is_swept(&self) -> bool {
        self.sweep.accounts_done == self.sweep.accounts.len() && self.keys.is_swept()
    }

    /// Whether the database has everything.
    pub(super) fn is_flushed(&self) -> bool {
        self.dirty.is_empty() && self.keys.fresh() == 0 && self.is_swept()
    }

    /// What is due to be written with the batch that ends at `head`, so that a sweep goes through within so many positions.
    pub(super) fn due(&mut self, head: Mark) -> Slice {
        if self.is_swept() {
            self.begin_sweep(head);
        }
        let (accounts, keys) = self.shares(head);
        self.take(accounts, keys, head)
    }

    /// Whether more rows are due than that they could wait for the next batch.
    pub(super) fn is_overdue(&self, head: Mark, rows: usize) -> bool {
        let (accounts, keys) = self.shares(head);
        accounts.max(keys) > rows
    }

    /// How much waits at `head`: positions, accounts or keys, whichever are more.
    pub(super) fn lag(&self, head: Mark) -> i64 {
        let others = i64::try_from(self.keys.fresh().max(self.dirty.len())).unwrap_or(i64::MAX);
        (head.position - self.flushed.position).max(others)
    }

    /// How many accounts and keys of the sweep are due.
    fn shares(&self, head: Mark) -> (usize, usize) {
        // Refusals are kept, and limits are changed, without a row of `transfer`.
        let others = i64::try_from(self.keys.fresh().max(self.dirty.len() / 2)).unwrap_or(i64::MAX);
        let passed = (head.position - self.sweep.began.position).max(others).clamp(0, self.sweep_positions);
        let share = |all: usize, done: usize| {
            let due = i128::try_from(all).unwrap_or(i128::MAX) * i128::from(passed) / i128::from(self.sweep_positions);
            usize::try_from(due).unwrap_or(all).saturating_sub(done)
        };
        let Sweep { accounts, accounts_done, .. } = &self.sweep;
        let (keys, keys_done) = self.keys.progress();
        (share(accounts.len(), *accounts_done), share(keys, keys_done))
    }

    /// The next rows to be written, at most `most` accounts and as many keys; `head` is the end of the journal.
    pub(super) fn next(&mut self, most: usize, head: Mark) -> Slice {
        if self.is_swept() {
            self.begin_sweep(head);
        }
        self.take(most, most, head)
    }

    fn begin_sweep(&mut self, head: Mark) {
        let mut accounts = std::mem::take(&mut self.dirty);
        accounts.sort_unstable_by_key(|place| self.at(*place).account.id);
        self.sweep = Sweep { accounts, accounts_done: 0, began: head };
        // Half of what comes while a sweep goes through: a ledger under load has that many, one that was idle in between has not.
        let many = usize::try_from(self.sweep_positions / 2).unwrap_or(usize::MAX).max(1);
        self.keys.begin_sweep(head.seq, many);
    }

    fn take(&mut self, accounts: usize, keys: usize, head: Mark) -> Slice {
        let sweep = &mut self.sweep;
        let end = (sweep.accounts_done + accounts).min(sweep.accounts.len());
        let places = &sweep.accounts[sweep.accounts_done..end];
        let mut slice = Slice { accounts: Vec::with_capacity(places.len()), ..Slice::default() };
        for place in places {
            let slot = &mut self.slots[*place as usize];
            // Written with its batch in the meantime, because its limits or its status changed.
            if std::mem::take(&mut slot.waits) {
                slice.accounts.push(slot.row.clone());
            }
        }
        sweep.accounts_done = end;
        slice.keys = self.keys.take(keys);
        if self.is_swept() {
            slice.keys.run = self.keys.run();
            let rest = !self.dirty.is_empty() || self.keys.fresh() > 0;
            self.flushed = if rest { self.sweep.began } else { head };
        }
        slice.flushed = self.flushed;
        slice
    }

    /// Accounts that must be written with the batch that changed them.
    pub(super) fn write_through(&mut self, places: impl Iterator<Item = u32>, slice: &mut Slice) {
        for place in places {
            let slot = &mut self.slots[place as usize];
            if std::mem::take(&mut slot.waits) {
                slice.accounts.push(slot.row.clone());
            }
        }
    }

    /// What the database has everything up to, as far as it was told.
    pub(super) const fn flushed(&self) -> Mark {
        self.flushed
    }

    /// What [`Resident::restore`] needs to undo a batch that changes these accounts, opens others, keeps keys, and takes nothing of
    /// the sweep.
    pub(super) fn remember(&self, places: &[u32]) -> Undo {
        let slot = |place: &u32| (*place, self.slots[*place as usize].clone());
        let (opened, changed, kept) = (self.slots.len(), self.dirty.len(), self.keys.fresh());
        Undo { slots: places.iter().map(slot).collect(), opened, changed, kept }
    }

    /// Puts everything back to where it was.
    pub(super) fn restore(&mut self, undo: Undo) {
        for slot in self.slots.drain(undo.opened..) {
            self.places.remove(&slot.row.account.id);
        }
        for (place, slot) in undo.slots {
            self.slots[place as usize] = slot;
        }
        self.dirty.truncate(undo.changed);
        self.keys.forget_after(undo.kept);
    }

    /// Whether there are more than `most` accounts here, and [`Resident::trim`] could drop some.
    pub(super) fn is_too_large(&self, most: usize) -> bool {
        self.slots.len() > most && self.is_swept()
    }

    /// Drops the accounts that the database has as they are here. Only when [too large](Resident::is_too_large), and while nothing is on
    /// its way to the database: what was just written could not be read back yet.
    pub(super) fn trim(&mut self) {
        let slots = std::mem::take(&mut self.slots);
        self.places = ById::default();
        self.dirty.clear();
        for slot in slots.into_iter().filter(|slot| slot.waits) {
            let place = self.admit(slot.row);
            self.change(place);
        }
        self.sweep.accounts.clear();
        self.sweep.accounts_done = 0;
    }
}

//! Keys in memory: those that the database may not have yet, in the order in which they are written behind, and which ones it may have.
//!
//! They are written in the sweeps of `resident.rs`. The keys of a sweep become rows when they are few; when they are many they become a
//! run, sorted and packed (`pages.rs`), so that what a ledger under load keeps is written at the end of a tree and not all over it.

use super::blocks;
use super::filter::Filter;
use super::idempotency::Kept;
use super::pages::{PAGE_KEYS, Page, Run};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use ledger_core::Key;
use std::hash::BuildHasher;

/// What there is to say of a key without the database.
#[derive(Debug)]
pub(super) enum Known<'k> {
    /// It was never kept.
    New,
    /// It was kept lately.
    Kept(&'k Kept),
    /// The database may have it.
    Perhaps,
}

/// Of one ledger.
#[derive(Default, Debug)]
pub(super) struct Keys {
    /// Those that came after the sweep began, in the order in which they came.
    fresh: Vec<Kept>,
    /// Where each of them is.
    places: HashTable<u32>,
    hash: RandomState,
    sweep: Sweep,
    /// Those of the sweep before, sorted: they may be on their way still.
    written: Vec<Kept>,
    /// Which keys may be kept.
    pub(super) filter: Filter,
    /// Some of the fresh ones may have rows already: they were read from the journal when the ledger was taken.
    recovered: bool,
}

/// The keys that are being written behind, sorted.
#[derive(Default, Debug)]
struct Sweep {
    keys: Vec<Kept>,
    done: usize,
    /// The run that they become, if not rows.
    run: Option<i64>,
}

/// Keys to be written with a batch.
#[derive(Default, Debug)]
pub(super) struct KeySlice {
    /// As rows.
    pub(super) rows: Vec<Kept>,
    /// Packed.
    pub(super) pages: Vec<Page>,
    /// The run of pages that are written, when the whole sweep is.
    pub(super) run: Option<Run>,
}

impl KeySlice {
    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.pages.is_empty() && self.run.is_none()
    }
}

impl Keys {
    pub(super) fn find(&self, key: Key) -> Known<'_> {
        if !self.filter.may_have(key) {
            return Known::New;
        }
        self.kept(key).map_or(Known::Perhaps, Known::Kept)
    }

    /// One that came after the sweep began, as all do that came in the last batch.
    pub(super) fn lately(&self, key: Key) -> Option<&Kept> {
        let place = self.places.find(self.hash.hash_one(key), |place| self.fresh[*place as usize].key == key)?;
        self.fresh.get(*place as usize)
    }

    /// What a key stands for that the database may not have yet.
    pub(super) fn kept(&self, key: Key) -> Option<&Kept> {
        if let Some(fresh) = self.lately(key) {
            return Some(fresh);
        }
        [&self.sweep.keys, &self.written].into_iter().find_map(|sorted| {
            let place = sorted.binary_search_by_key(&key, |kept| kept.key).ok()?;
            sorted.get(place)
        })
    }

    pub(super) fn keep(&mut self, kept: Kept) {
        let place = u32::try_from(self.fresh.len()).expect("fewer than 2^32 keys fit into memory");
        self.filter.add(kept.key);
        let (hash, fresh) = (&self.hash, &self.fresh);
        let hash_of = |place: &u32| hash.hash_one(fresh[*place as usize].key);
        self.places.insert_unique(hash.hash_one(kept.key), place, hash_of);
        self.fresh.push(kept);
    }

    /// The same, of a key that may have its row already.
    pub(super) fn keep_again(&mut self, kept: Kept) {
        self.recovered = true;
        self.keep(kept);
    }

    /// Takes in which keys the database may have.
    pub(super) fn learn(&mut self, mut filter: Filter) {
        let here = self.fresh.iter().chain(&self.sweep.keys).chain(&self.written);
        here.for_each(|kept| filter.add(kept.key));
        self.filter = filter;
    }

    /// How many came after the sweep began.
    pub(super) const fn fresh(&self) -> usize {
        self.fresh.len()
    }

    /// How many are in the sweep, and how many of them were taken.
    pub(super) const fn progress(&self) -> (usize, usize) {
        (self.sweep.keys.len(), self.sweep.done)
    }

    pub(super) const fn is_swept(&self) -> bool {
        self.sweep.done == self.sweep.keys.len()
    }

    /// Begins a sweep at the record `seq`, when the one before is done. If it has `many` keys, they become a run.
    pub(super) fn begin_sweep(&mut self, seq: i64, many: usize) {
        let mut keys = std::mem::take(&mut self.fresh);
        self.places.clear();
        keys.sort_unstable_by_key(|kept| kept.key);
        let is_run = keys.len() >= many && !std::mem::take(&mut self.recovered);
        let sweep = Sweep { keys, done: 0, run: is_run.then_some(seq) };
        // By now the batches that wrote the keys of the sweep before the last are durable.
        self.written = std::mem::replace(&mut self.sweep, sweep).keys;
        // As many as last time will come.
        self.fresh.reserve(self.sweep.keys.len());
    }

    /// The next keys to be written, about `most` of them.
    pub(super) fn take(&mut self, most: usize) -> KeySlice {
        let Sweep { keys, done, run } = &mut self.sweep;
        let rest = &keys[*done..];
        let Some(run) = *run else {
            let rows = rest[..most.min(rest.len())].to_vec();
            *done += rows.len();
            return KeySlice { rows, ..KeySlice::default() };
        };
        // Whole pages, but for the last, and not none for ever.
        let count = most.next_multiple_of(PAGE_KEYS).min(rest.len());
        let pages = rest[..count].chunks(PAGE_KEYS).map(|keys| Page::of(run, keys)).collect();
        *done += count;
        KeySlice { pages, ..KeySlice::default() }
    }

    /// The run that the sweep becomes, to be written with the last of its accounts and keys.
    pub(super) fn run(&self) -> Option<Run> {
        let Sweep { keys, run, .. } = &self.sweep;
        let prefixes = || blocks::prefixes(keys.iter().map(|kept| kept.key));
        run.map(|run| Run { run, keys: i64::try_from(keys.len()).unwrap_or(i64::MAX), prefixes: prefixes() })
    }

    /// The database has them all by another host's hand.
    pub(super) fn written_elsewhere(&mut self) {
        *self = Keys { filter: std::mem::take(&mut self.filter), ..Keys::default() };
    }

    /// Forgets the fresh ones but for the first so many.
    pub(super) fn forget_after(&mut self, kept: usize) {
        for Kept { key, .. } in &self.fresh[kept..] {
            let fresh = &self.fresh;
            let found = self.places.find_entry(self.hash.hash_one(key), |place| fresh[*place as usize].key == *key);
            if let Ok(entry) = found {
                entry.remove();
            }
        }
        self.fresh.truncate(kept);
    }
}

//! What this host has counted in the minute that runs, and what it knows of the others. Bounded: an attacker may have any number of addresses.

use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts of the map, each with a lock of its own.
const SHARDS: usize = 16;

/// Clients of a shard that are counted by themselves: a quarter of a million in all, in some twenty megabytes.
const CLIENTS_MAX: usize = 16_384;

/// Who comes when there are more shares a count with others: one of so many in each shard.
const SLOTS: usize = 4_096;

/// Who is counted, and as what.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Subject {
    pub(super) scope: i64,
    pub(super) id: u128,
}

/// Counts of one minute.
pub(super) struct Counts {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    window: i64,
    clients: HashMap<Subject, Count, RandomState>,
    /// Those with something new to tell the others.
    fresh: Vec<Subject>,
    /// Of all clients for whom there was no room, by a hash. Empty until there are some.
    rest: Vec<u32>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    /// Not told to the others yet.
    fresh: u32,
    /// On the way to them.
    sent: u32,
    /// What all hosts together have counted, as of the last time that anything was sent.
    stored: u32,
}

impl Default for Counts {
    fn default() -> Counts {
        Counts { shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::default() }
    }
}

impl Counts {
    /// Counts a request in the minute that began at `window`; false when there were `most` already.
    pub(super) fn count(&self, subject: Subject, most: u32, window: i64) -> bool {
        let hash = usize::try_from(self.hasher.hash_one(subject) >> 32).unwrap_or_default();
        let mut shard = self.shard(hash % SHARDS, window);
        let Shard { clients, fresh, rest, .. } = &mut *shard;
        if clients.len() >= CLIENTS_MAX && !clients.contains_key(&subject) {
            rest.resize(SLOTS, 0);
            let count = &mut rest[hash / SHARDS % SLOTS];
            let admitted = *count < most;
            *count += u32::from(admitted);
            return admitted;
        }
        let count = clients.entry(subject).or_default();
        let admitted = count.all() < u64::from(most);
        if admitted {
            if count.fresh == 0 {
                fresh.push(subject);
            }
            count.fresh += 1;
        }
        admitted
    }

    /// What is new in this minute, of at most `most` clients, sorted. Whoever takes it tells what became of it.
    pub(super) fn take(&self, window: i64, most: usize) -> Vec<(Subject, u32)> {
        let mut taken = Vec::new();
        for place in 0..SHARDS {
            let mut shard = self.shard(place, window);
            let Shard { clients, fresh, .. } = &mut *shard;
            let from = fresh.len() - fresh.len().min(most - taken.len());
            for subject in fresh.drain(from..) {
                let count = clients.entry(subject).or_default();
                count.sent = std::mem::take(&mut count.fresh);
                taken.push((subject, count.sent));
            }
        }
        // Hosts that lock rows in one order do not wait for each other in a circle.
        taken.sort_unstable();
        taken
    }

    /// What was taken is stored, and so much is there of all hosts together.
    pub(super) fn stored(&self, window: i64, all: impl IntoIterator<Item = (Subject, u32)>) {
        for (subject, stored) in all {
            self.settle(window, subject, |count| Count { stored, sent: 0, ..count });
        }
    }

    /// What was taken is not stored: it is told the next time.
    pub(super) fn put_back(&self, window: i64, taken: &[(Subject, u32)]) {
        for (subject, _) in taken {
            self.settle(window, *subject, |count| Count { fresh: count.fresh + count.sent, sent: 0, ..count });
        }
    }

    fn settle(&self, window: i64, subject: Subject, settled: impl FnOnce(Count) -> Count) {
        let hash = usize::try_from(self.hasher.hash_one(subject) >> 32).unwrap_or_default();
        let mut shard = self.shard(hash % SHARDS, window);
        let Shard { clients, fresh, window: current, .. } = &mut *shard;
        // It is another minute by now.
        let Some(count) = clients.get_mut(&subject).filter(|_| *current == window) else { return };
        let was_fresh = count.fresh > 0;
        *count = settled(*count);
        if count.fresh > 0 && !was_fresh {
            fresh.push(subject);
        }
    }

    /// A shard, in this minute or the one that it has come to by now.
    fn shard(&self, place: usize, window: i64) -> MutexGuard<'_, Shard> {
        // A panic while it was held can have left a count that is wrong by one.
        let mut shard = self.shards[place].lock().unwrap_or_else(PoisonError::into_inner);
        if window > shard.window {
            *shard = Shard { window, ..Shard::default() };
        }
        shard
    }
}

impl Count {
    fn all(self) -> u64 {
        u64::from(self.fresh) + u64::from(self.sent) + u64::from(self.stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Subject = Subject { scope: 0, id: 1 };

    #[test]
    fn a_minute_takes_so_many_and_the_next_begins_anew() {
        let counts = Counts::default();
        let admitted = |window| (0..10).filter(|_| counts.count(ONE, 3, window)).count();
        assert_eq!((admitted(60), admitted(60), admitted(120)), (3, 0, 3));
        assert!(counts.count(Subject { scope: 1, id: 1 }, 3, 120));
        // A clock that was put back does not begin a minute again.
        assert_eq!(admitted(60), 0);
    }

    #[test]
    fn what_others_counted_counts() {
        let counts = Counts::default();
        assert!(counts.count(ONE, 10, 60) && counts.count(ONE, 10, 60));
        let taken = counts.take(60, 100);
        assert_eq!(taken, [(ONE, 2)]);
        assert!(counts.count(ONE, 3, 60) && !counts.count(ONE, 3, 60), "what is on the way counts");
        counts.stored(60, [(ONE, 8)]);
        assert!(counts.count(ONE, 10, 60) && !counts.count(ONE, 10, 60));
        assert_eq!(counts.take(60, 100), [(ONE, 2)]);
        counts.put_back(60, &[(ONE, 2)]);
        assert!(!counts.count(ONE, 10, 60));
        assert_eq!(counts.take(60, 100), [(ONE, 2)], "it is told again");
        // What comes back from a minute that is over is of no interest.
        assert!(counts.count(ONE, 1, 120));
        counts.stored(60, [(ONE, 100)]);
        assert!(counts.count(ONE, 2, 120));
    }

    #[test]
    fn a_part_is_taken_at_a_time() {
        let counts = Counts::default();
        for id in 0..100 {
            counts.count(Subject { scope: 0, id }, 1, 60);
        }
        let mut taken: Vec<_> = [counts.take(60, 30), counts.take(60, 30), counts.take(60, 100)].concat();
        taken.sort_unstable();
        assert_eq!(taken, (0..100).map(|id| (Subject { scope: 0, id }, 1)).collect::<Vec<_>>());
    }

    #[test]
    fn memory_is_bounded_and_so_are_those_who_come_late() {
        let counts = Counts::default();
        let many = u128::try_from(SHARDS * CLIENTS_MAX * 2).unwrap();
        assert!(counts.count(ONE, 1, 60));
        for id in 0..many {
            counts.count(Subject { scope: 0, id }, 1, 60);
        }
        let clients: usize = counts.shards.iter().map(|shard| shard.lock().unwrap().clients.len()).sum();
        assert_eq!(clients, SHARDS * CLIENTS_MAX);
        let late = Subject { scope: 0, id: many };
        let admitted = (0..1_000).filter(|_| counts.count(late, 500, 60)).count();
        assert!((400..=500).contains(&admitted), "{admitted}");
    }
}

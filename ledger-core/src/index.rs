//! Where an id is: a hash table from ids to places in a list. The list is the caller's, and so are the ids.
//!
//! Clients choose ids, so somebody may choose them to collide. The table then takes another of its hash functions; who wants to collide
//! under all of them has no freedom left in 128 bits. That nothing here is random keeps every call's work the same everywhere.

use alloc::vec;
use alloc::vec::Vec;

/// Steps from the slot that an id should have to the one that it has. With half of the slots free, the longest of a million random ids is
/// at about 70.
const STEPS_MAX: usize = 128;

/// Hash functions before long ways are put up with.
const SEEDS: u64 = 8;

/// The fewest slots; a power of two, as every number of slots.
const SLOTS_MIN: usize = 16;

/// A table from ids to the places `0 ..`, in which they were added one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// 0: free. Else 32 bits of the id's hash, then its place plus one. Linear probing, at most half full.
    slots: Vec<u64>,
    /// Which hash function.
    seed: u64,
}

/// Where an id would be, as long as no other one is added.
#[derive(Clone, Copy)]
pub(crate) struct Free {
    slot: usize,
    hash: u64,
}

impl Index {
    /// An empty table with room for so many ids.
    pub(crate) fn with_room(ids: usize) -> Index {
        Index { slots: vec![0; slots_for(ids)], seed: 0 }
    }

    /// Makes room for so many ids in all; `places` of them are in the table.
    pub(crate) fn make_room(&mut self, ids: usize, places: usize, id_at: impl Fn(usize) -> u128) {
        if slots_for(ids) > self.slots.len() {
            self.rebuild(slots_for(ids), places, &id_at);
        }
    }

    /// The place of `id`, or where it would be. `id_at` tells the id at a place.
    #[inline]
    pub(crate) fn find(&self, id: u128, id_at: impl Fn(usize) -> u128) -> Result<usize, Free> {
        let hash = self.hash(id);
        let mut slot = self.first(hash);
        loop {
            let entry = self.slots[slot];
            if entry == 0 {
                return Err(Free { slot, hash });
            }
            if entry >> 32 == hash & LOW && id_at(place_of(entry)) == id {
                return Ok(place_of(entry));
            }
            slot = self.after(slot);
        }
    }

    /// Adds the id at `place`, the next one, for which there is room. `id_at` tells the ids at all places up to it.
    #[inline]
    pub(crate) fn add(&mut self, free: Free, place: usize, id_at: impl Fn(usize) -> u128) {
        self.slots[free.slot] = entry(free.hash, place);
        if self.is_far(free) {
            self.seed += 1;
            self.rebuild(self.slots.len(), place + 1, &id_at);
        }
    }

    /// Takes out the id that was added last.
    pub(crate) fn remove_last(&mut self, place: usize, id: u128) {
        let mut slot = self.first(self.hash(id));
        // What was added last is at the end of every way that leads to it: no other id is beyond.
        while place_of(self.slots[slot]) != place {
            slot = self.after(slot);
        }
        self.slots[slot] = 0;
    }

    /// True when this hash function is not to be kept.
    fn is_far(&self, free: Free) -> bool {
        let steps = free.slot.wrapping_sub(self.first(free.hash)) & (self.slots.len() - 1);
        steps > STEPS_MAX && self.seed + 1 < SEEDS
    }

    fn rebuild(&mut self, slots: usize, places: usize, id_at: &impl Fn(usize) -> u128) {
        loop {
            self.slots.clear();
            self.slots.resize(slots, 0);
            if (0..places).all(|place| self.put(id_at(place), place)) {
                return;
            }
            self.seed += 1;
        }
    }

    /// Adds an id that is not there. False when it is too far.
    fn put(&mut self, id: u128, place: usize) -> bool {
        let hash = self.hash(id);
        let mut slot = self.first(hash);
        while self.slots[slot] != 0 {
            slot = self.after(slot);
        }
        self.slots[slot] = entry(hash, place);
        !self.is_far(Free { slot, hash })
    }

    /// Multiplications carry what differs upwards, so the upper half is folded onto the lower between them; the slot is chosen by the upper
    /// bits. The seed goes in twice: ids that differ in one half only are spread differently by each.
    fn hash(&self, id: u128) -> u64 {
        let (high, low) = halves(id);
        let seed = self.seed.wrapping_mul(0xA076_1D64_78BD_642F);
        let mixed = (high ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ mixed >> 32 ^ low).wrapping_mul(0xD134_2543_DE82_EF95);
        (mixed ^ mixed >> 32 ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn first(&self, hash: u64) -> usize {
        (hash >> 32) as u32 as usize & (self.slots.len() - 1)
    }

    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }
}

/// The lower 32 bits.
const LOW: u64 = 0xFFFF_FFFF;

fn entry(hash: u64, place: usize) -> u64 {
    hash << 32 | (u64::from(u32::try_from(place).expect("fewer than 2^32 places")) + 1)
}

fn place_of(entry: u64) -> usize {
    ((entry & LOW) as u32).wrapping_sub(1) as usize
}

fn halves(id: u128) -> (u64, u64) {
    ((id >> 64) as u64, (id << 64 >> 64) as u64)
}

/// A power of two, at least twice as many as ids.
fn slots_for(ids: usize) -> usize {
    (2 * ids).next_power_of_two().max(SLOTS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(ids: &[u128]) -> Index {
        let mut index = Index::with_room(0);
        for (place, id) in ids.iter().enumerate() {
            index.make_room(place + 1, place, |at| ids[at]);
            let free = index.find(*id, |at| ids[at]).expect_err("it was not added yet");
            index.add(free, place, |at| ids[at]);
        }
        for (place, id) in ids.iter().enumerate() {
            assert_eq!(index.find(*id, |at| ids[at]).ok(), Some(place));
        }
        index
    }

    #[test]
    fn what_was_added_is_found() {
        for step in [1, 1 << 32, 1 << 64, 1 << 96, 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835_u128] {
            let ids: Vec<u128> = (1..5_000_u128).map(|n| n.wrapping_mul(step)).collect();
            let index = filled(&ids);
            assert!(index.find(0, |at| ids[at]).is_err());
        }
    }

    /// The worst that somebody can do who knows this file: ids that all want the same slots.
    #[test]
    fn ids_chosen_to_collide_meet_another_hash_function() {
        let first = Index::with_room(8_190);
        let ids: Vec<u128> = (0..).filter(|id| first.first(first.hash(*id)) < 4).take(2_000).collect();
        assert!(filled(&ids).seed > 0, "the first hash function is kept");
    }

    /// Sequences that begin at any bit, and at each end of both halves.
    #[test]
    fn ids_that_differ_in_a_few_bits_are_spread() {
        for shift in 0..=114 {
            let index = filled(&(1..8_191_u128).map(|n| n << shift | 1 << 127).collect::<Vec<_>>());
            assert!(index.seed < 2, "ids that differ from bit {shift} on collide");
        }
    }

    #[test]
    fn the_last_can_be_taken_out_again() {
        let ids: Vec<u128> = (1..100_u128).map(|n| n << 60).collect();
        let mut index = filled(&ids);
        for place in (50..ids.len()).rev() {
            index.remove_last(place, ids[place]);
        }
        for (place, id) in ids.iter().enumerate() {
            assert_eq!(index.find(*id, |at| ids[at]).ok(), (place < 50).then_some(place));
        }
    }
}

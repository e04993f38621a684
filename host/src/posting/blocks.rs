//! Which keys may be there, in as little memory as that takes: Bloom filters in which a key has all its bits in one block.
//!
//! A block is a line of the processor's cache, and the blocks are in the order of the keys. To ask for a key waits for memory once in each
//! filter, and to add sorted keys goes through the memory from one end to the other. A filter that spreads the bits of a key, as the crates
//! for it do, waits for each of them, and there may be tens of millions of keys to be added before the first batch.
//!
//! Of a key only its prefix counts, which is what a run stores of it for this.

use ledger_core::Key;

/// How many keys the first filter has room for. Each next one has room for four times as many, up to [`MOST`]: a new key is looked for in
/// each of them.
const FIRST: usize = 1 << 16;
const MOST: usize = 1 << 24;

const BITS_PER_KEY: usize = 32;
const BLOCK_BITS: usize = 512;

/// The length of a prefix. That one of 50 million keys begins like another one that is asked for happens once in millions of times.
pub(super) const PREFIX: usize = 6;

/// Each word has two bits of a key.
#[repr(align(64))]
#[derive(Clone, Debug)]
struct Block([u64; 8]);

/// Odd numbers without a pattern, by which each word gets other bits: the fractions of the roots of the first primes.
const SALTS: [u64; 8] = [
    0x6a09_e667_f3bc_c909,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// Filters, each for more keys than the one before.
#[derive(Debug)]
pub(super) struct Blocks {
    filters: Vec<Vec<Block>>,
    /// How many keys the last one has room for still.
    room: usize,
    /// How many the next one will have room for.
    next: usize,
}

impl Default for Blocks {
    fn default() -> Blocks {
        Blocks { filters: vec![], room: 0, next: FIRST }
    }
}

impl Blocks {
    /// With room for so many in the first.
    pub(super) fn for_keys(count: usize) -> Blocks {
        Blocks { next: count.max(FIRST), ..Blocks::default() }
    }

    /// False is certain. Of keys that were not added, one of some 200,000 seems to be in a filter that is full.
    pub(super) fn may_have(&self, key: Key) -> bool {
        let prefix = prefix(key);
        let bits = bits(prefix);
        let has = |filter: &Vec<Block>| {
            let block = filter.get(place(prefix, filter.len()));
            // All of its words, whatever the first ones say: what nothing branches on is not waited for before the next key is asked for.
            block.is_some_and(|Block(words)| {
                words.iter().zip(bits).fold(0, |lacks, (word, bits)| lacks | bits & !word) == 0
            })
        };
        self.filters.iter().rev().any(has)
    }

    pub(super) fn add(&mut self, key: Key) {
        self.add_prefix(prefix(key));
    }

    /// Adds keys as a run [stores](prefixes) them.
    pub(super) fn add_stored(&mut self, prefixes: &[u8]) {
        let (prefixes, _) = prefixes.as_chunks::<PREFIX>();
        prefixes.iter().for_each(|bytes| self.add_prefix(number(*bytes)));
    }

    fn add_prefix(&mut self, prefix: u64) {
        if self.room == 0 {
            self.room = self.next;
            self.next = (self.room * 4).min(MOST);
            self.filters.push(vec![Block([0; 8]); (self.room * BITS_PER_KEY).div_ceil(BLOCK_BITS)]);
        }
        if let Some(last) = self.filters.last_mut() {
            let place = place(prefix, last.len());
            last[place].0.iter_mut().zip(bits(prefix)).for_each(|(word, bits)| *word |= bits);
        }
        self.room -= 1;
    }
}

/// The prefixes of these keys, as they are stored.
pub(super) fn prefixes(keys: impl Iterator<Item = Key>) -> Vec<u8> {
    keys.flat_map(|key| key.0.to_be_bytes().into_iter().take(PREFIX)).collect()
}

/// A key is the digest of a text: any bits of it are as good as a hash. These are the upper ones, by which keys are sorted.
fn prefix(key: Key) -> u64 {
    let [a, b, c, d, e, f, ..] = key.0.to_be_bytes();
    number([a, b, c, d, e, f])
}

fn number([a, b, c, d, e, f]: [u8; PREFIX]) -> u64 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// In which of so many blocks it is: in the order of the prefixes.
fn place(prefix: u64, blocks: usize) -> usize {
    let scaled = (u128::from(prefix) * blocks as u128) >> (8 * PREFIX);
    usize::try_from(scaled).expect("it is one of the blocks")
}

/// Its bits in each word.
fn bits(prefix: u64) -> [u64; 8] {
    SALTS.map(|salt| {
        let mixed = prefix.wrapping_mul(salt);
        1 << (mixed >> 58) | 1 << (mixed >> 52 & 63)
    })
}

#[cfg(test)]
mod tests {
    use super::{Blocks, prefixes};
    use ledger_core::Key;

    fn key(number: u64) -> Key {
        crate::posting::key(7, &number.to_string())
    }

    #[test]
    fn every_key_that_was_added_may_be_there_and_few_others() {
        let mut blocks = Blocks::default();
        (0..300_000).for_each(|number| blocks.add(key(number)));
        assert!((0..300_000).all(|number| blocks.may_have(key(number))));
        let wrong = (300_000..500_000).filter(|number| blocks.may_have(key(*number))).count();
        assert!(wrong < 12, "{wrong} of 200,000");
    }

    #[test]
    fn keys_that_are_added_as_they_are_stored_are_the_same() {
        let mut keys: Vec<Key> = (0..100_000).map(key).collect();
        keys.extend([Key(0), Key(u128::MAX)]);
        keys.sort_unstable();
        let mut blocks = Blocks::for_keys(keys.len());
        blocks.add_stored(&prefixes(keys.iter().copied()));
        assert!(keys.iter().all(|key| blocks.may_have(*key)));
        let wrong = (100_000..300_000).filter(|number| blocks.may_have(key(*number))).count();
        assert!(wrong < 12, "{wrong} of 200,000");
    }
}

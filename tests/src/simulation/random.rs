//! Random numbers that come from a seed alone: SplitMix64, which needs no more than a sum and two products.

/// A sequence of numbers. The same seed gives the same sequence, on every machine and for ever.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The sequence of a seed, or of a part of what a seed decides: other parts give other sequences.
    pub(super) fn of(seed: u64, part: u64) -> Random {
        let mut random = Random(seed);
        let first = random.next();
        Random(first ^ part.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `from` to `to`, both included.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        let width = to.abs_diff(from) + 1;
        from.wrapping_add_unsigned(self.next() % width)
    }

    /// A place in a list of this length, which is not 0.
    pub(super) fn place(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).expect("a list has fewer than 2^64 places");
        usize::try_from(self.next() % length).expect("it is below a length")
    }

    /// One of these.
    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.place(of.len())]
    }

    /// True so many times out of a hundred.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// Brings a list into some order.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.place(end + 1));
        }
    }
}

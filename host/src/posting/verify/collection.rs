//! Whether two collections of rows are the same, in whatever order they come, without keeping or sorting either.
//!
//! A row is some words. With factors that are drawn for this proof, it becomes one number of a finite field: the sum of a first factor and of
//! each word times a factor of its own. The numbers of all rows are multiplied. Written out, such a product is a polynomial in the factors,
//! and the rows are what it can be divided by: other rows make another polynomial. Two that differ agree at no more of all draws than
//! their degree, the number of rows, in 2^127 (Schwartz, "Fast probabilistic algorithms for verification of polynomial identities", 1980). Who
//! changed a row could not know the draw, so that luck alone would hide it: of 1 in 2^97 for a thousand million rows.

/// The field: whole numbers modulo this prime, where multiplying is cheap.
const PRIME: u128 = (1 << 127) - 1;

/// Words of a row.
pub(super) const WORDS: usize = 7;

/// What is drawn for one proof.
pub(super) struct Draw {
    first: u128,
    factors: [u128; WORDS],
}

/// Some rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Collection {
    /// How many.
    pub(super) count: i64,
    product: u128,
}

impl Draw {
    pub(super) fn new() -> Draw {
        Draw { first: random(), factors: std::array::from_fn(|_| random()) }
    }
}

fn random() -> u128 {
    low(rand::random())
}

impl Collection {
    pub(super) const EMPTY: Collection = Collection { count: 0, product: 1 };

    /// Adds a row. Words at its end that are not given are 0.
    #[inline]
    pub(super) fn add(&mut self, draw: &Draw, words: &[u64]) {
        let number = draw.factors.iter().zip(words);
        let number = number.fold(draw.first, |sum, (factor, word)| plus(sum, times(*factor, u128::from(*word))));
        self.count += 1;
        self.product = times(self.product, number);
    }
}

/// The same number of the field, not above the prime: 2^127 is 1 there.
#[inline]
const fn low(number: u128) -> u128 {
    (number & PRIME) + (number >> 127)
}

/// The sum of two numbers that are not above the prime.
#[inline]
const fn plus(a: u128, b: u128) -> u128 {
    low(a + b)
}

/// The product of two numbers that are not above the prime, by halves of 64 bits.
#[inline]
const fn times(a: u128, b: u128) -> u128 {
    const HALF: u128 = (1 << 64) - 1;
    let (a_high, a_low, b_high, b_low) = (a >> 64, a & HALF, b >> 64, b & HALF);
    let middle = a_high * b_low + a_low * b_high;
    // 2^128 is 2, and of the middle, which counts 2^64 times, the bits from the 63rd on count 2^127 times.
    let high = plus(low(2 * (a_high * b_high)), middle >> 63);
    let shifted = (middle & (HALF >> 1)) << 64;
    plus(plus(high, shifted), low(a_low * b_low))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A product by doubling and adding, one bit at a time.
    fn times_naively(a: u128, b: u128) -> u128 {
        (0..127).rev().fold(0, |product, bit| {
            let doubled = (product * 2) % PRIME;
            if b >> bit & 1 == 1 { (doubled + a) % PRIME } else { doubled }
        })
    }

    #[test]
    fn numbers_are_multiplied_as_in_the_field() {
        let mut numbers = vec![0, 1, 2, u128::from(u64::MAX), 1 << 64, 1 << 126, PRIME - 1, PRIME];
        numbers.extend((0..200).map(|_| random()));
        for a in &numbers {
            for b in &numbers {
                assert_eq!(times(*a, *b) % PRIME, times_naively(a % PRIME, b % PRIME), "{a} × {b}");
            }
        }
    }

    #[test]
    fn rows_are_the_same_in_any_order_and_no_others_are() {
        let draw = Draw::new();
        let of = |rows: &[[u64; WORDS]]| {
            let mut collection = Collection::EMPTY;
            rows.iter().for_each(|row| collection.add(&draw, row));
            collection
        };
        let rows = [[1, 2, 3, 4, 5, 0, 0], [6, 7, 8, 9, 10, 11, 12], [u64::MAX; WORDS], [1, 2, 3, 4, 5, 0, 0]];
        let right = of(&rows);
        assert_eq!(of(&[rows[3], rows[2], rows[1], rows[0]]), right);
        assert_ne!(of(&rows[..3]), right);
        assert_ne!(of(&[rows[0], rows[1], rows[1], rows[2]]), right);
        for row in 0..rows.len() {
            for bit in 0..WORDS * 64 {
                let mut other = rows;
                other[row][bit / 64] ^= 1 << (bit % 64);
                assert_ne!(of(&other), right, "bit {bit} of row {row}");
            }
        }
        // Words that move from one row to another, or within one.
        assert_ne!(of(&[[6, 2, 3, 4, 5, 0, 0], [1, 7, 8, 9, 10, 11, 12], rows[2], rows[3]]), right);
        assert_ne!(of(&[[2, 1, 3, 4, 5, 0, 0], rows[1], rows[2], rows[3]]), right);
        let mut short = Collection::EMPTY;
        short.add(&draw, &rows[0][..5]);
        assert_eq!(short, of(&rows[..1]));
    }
}

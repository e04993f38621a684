//! How much: checked integer amounts. Units, scales and decimal text are in `unit.rs`.

pub use sealed::Amount;

/// The field lives in a module of its own, so that not even this file can step around the range check.
mod sealed {
    /// A number of minor units (cents, santim, hundredths of an hour), −10^18 ..= 10^18.
    ///
    /// The range is checked whenever a value is made. It is chosen so that the sum of any nine amounts fits an `i64`:
    /// what the ledger computes from a balance, a reservation and a limit cannot overflow on the way.
    ///
    /// There is no float, no mixing of units, and no division: whoever splits an amount states where the remainder goes.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub struct Amount(i64);

    impl Amount {
        /// The largest amount, 10^18 minor units. As a ceiling it means "none".
        pub const MAX: Amount = Amount(1_000_000_000_000_000_000);
        /// The smallest amount, −10^18 minor units. As a floor it means "none".
        pub const MIN: Amount = Amount(-1_000_000_000_000_000_000);
        /// Nothing.
        pub const ZERO: Amount = Amount(0);

        /// `minor` units, or `None` outside of the range.
        pub const fn new(minor: i64) -> Option<Amount> {
            if Amount::MIN.0 <= minor && minor <= Amount::MAX.0 { Some(Amount(minor)) } else { None }
        }

        /// The number of minor units.
        pub const fn minor(self) -> i64 {
            self.0
        }
    }
}

impl Amount {
    /// The sum, or `None` when it leaves the range.
    pub const fn checked_add(self, other: Amount) -> Option<Amount> {
        Amount::new(self.minor() + other.minor())
    }

    /// The difference, or `None` when it leaves the range.
    pub const fn checked_sub(self, other: Amount) -> Option<Amount> {
        Amount::new(self.minor() - other.minor())
    }

    /// The same amount the other way round. The range is symmetric, so there always is one.
    pub const fn negated(self) -> Amount {
        match Amount::new(-self.minor()) {
            Some(amount) => amount,
            None => Amount::ZERO, // unreachable: the range is symmetric
        }
    }

    /// The amount nearest to `minor` inside `0 ..= MAX`: how far something reaches, for people.
    pub(crate) const fn clamped_to_positive(minor: i64) -> Amount {
        match Amount::new(if minor < 0 { 0 } else { minor }) {
            Some(amount) => amount,
            None => Amount::MAX,
        }
    }

    /// True above zero.
    pub const fn is_positive(self) -> bool {
        self.minor() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::Amount;

    #[test]
    fn the_range_is_checked_on_both_sides() {
        let max = Amount::MAX.minor();
        assert_eq!(Amount::new(max), Some(Amount::MAX));
        assert_eq!(Amount::new(max + 1), None);
        assert_eq!(Amount::new(-max), Some(Amount::MIN));
        assert_eq!(Amount::new(-max - 1), None);
        assert_eq!(Amount::new(i64::MIN), None);
        assert_eq!(Amount::MAX.checked_add(Amount::new(1).unwrap()), None);
        assert_eq!(Amount::MIN.checked_sub(Amount::new(1).unwrap()), None);
        assert_eq!(Amount::MIN.negated(), Amount::MAX);
    }

    #[test]
    fn nine_amounts_sum_inside_an_i64() {
        assert!(Amount::MAX.minor().checked_mul(9).is_some());
        assert!(Amount::MIN.minor().checked_mul(9).is_some());
    }
}

//! Transfer ids in order: making them, and telling which ids need no index because each is greater than all before it.

use ledger_core::{Timestamp, TransferId};

/// How far a client's id may lie ahead of the ledger's time and still count as in order. Further ahead, one wrong clock would
/// push all ids after it out of order.
const AHEAD_MS: u128 = 60_000;

/// The greatest id of a ledger that came in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IdOrder(pub(super) u128);

impl IdOrder {
    /// Where to go on when others may have made ids after this one, in the same millisecond: a random way further.
    pub(super) fn after_others(last: u128) -> IdOrder {
        IdOrder(last + u128::from(rand::random::<u64>() >> 24))
    }

    /// A new id, greater than every one in order: a UUIDv7 of this time, and within a millisecond one more than the one before. Ids
    /// are no secrets: who asks for a transfer must be one of its parties.
    pub(super) fn mint(&mut self, now: Timestamp) -> TransferId {
        let milliseconds = milliseconds(now);
        self.0 = if milliseconds > self.0 >> 80 {
            // Version 7, variant 10; the highest random bit is 0, so that counting up never carries into the variant.
            let random = rand::random::<u128>() & ((0xfff << 64) | (u128::from(u64::MAX) >> 3));
            milliseconds << 80 | 7 << 76 | 2 << 62 | random
        } else {
            self.0 + 1
        };
        TransferId(self.0)
    }

    /// Makes sure that no id is made that is this one, or that came to be before it.
    pub(super) fn pass(&mut self, id: TransferId, now: Timestamp) {
        if id.0 > self.0 && id.0 >> 80 <= milliseconds(now) + AHEAD_MS {
            self.0 = id.0;
        }
    }

    /// Takes an id into the order. True when it came in order: then nothing with a greater id can have been there, nor this one.
    pub(super) fn admit(&mut self, id: TransferId, now: Timestamp) -> bool {
        let before = self.0;
        self.pass(id, now);
        self.0 > before
    }
}

/// Since 1970, in the 48 bits that an id has for it.
fn milliseconds(now: Timestamp) -> u128 {
    u128::try_from(now.0 / 1_000).unwrap_or(0) & 0xffff_ffff_ffff
}

#[cfg(test)]
mod tests {
    use super::{AHEAD_MS, IdOrder};
    use ledger_core::{Timestamp, TransferId};

    #[test]
    fn made_ids_are_uuids_of_version_7_and_grow_whatever_the_clock_does() {
        let mut order = IdOrder(0);
        let mut last = 0;
        for now in [1_700_000_000_000_000, 1_700_000_000_000_000, 5, 1_700_000_000_001_000, 1_600_000_000_000_000] {
            let TransferId(id) = order.mint(Timestamp(now));
            assert!(id > last);
            let uuid = uuid::Uuid::from_u128(id);
            assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
            last = id;
        }
    }

    #[test]
    fn an_id_from_the_far_future_is_not_in_order_and_changes_nothing() {
        let now = Timestamp(1_700_000_000_000_000);
        let mut order = IdOrder(0);
        let TransferId(first) = order.mint(now);
        assert!(!order.admit(TransferId(u128::MAX), now));
        assert!(!order.admit(TransferId(first), now), "it was there");
        assert!(!order.admit(TransferId(first - 1), now));
        assert!(order.admit(TransferId(first + 7), now));
        assert!(order.admit(TransferId((1_700_000_000_000 + AHEAD_MS) << 80), now));
        assert!(order.mint(now).0 > (1_700_000_000_000 + AHEAD_MS) << 80);
    }
}

//! Each account's history as a chain: how rows link back, so that any page, count or date is found without an index.
//!
//! Every row of `transfer` belongs to two chains, the payer's and the payee's. In each it has a link to the row before
//! and a *jump* link further back. The jumps are those of a skew-binary list (Myers, "An applicative random-access
//! stack", 1983): a row either jumps to the row before it, or over two trees of equal size at once. From the newest row, any older
//! one is reached in at most 3·log₂(n) hops, about 2·log₂(n) as a rule; appending a row needs only the roots of the trees, the *spine*, which the account carries:
//! at most log₂(n) positions.
//!
//! Reading along the chain is in `accounts/history.rs`.

use ledger_core::{Action, TransferKind};

/// What a row of `transfer` says that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Began and moved at once.
    Immediate,
    /// Began as a hold.
    Hold,
    /// Began as a request.
    Request,
    /// A hold moved.
    Captured,
    /// A hold was given back.
    Released,
    /// A request moved.
    Accepted,
    /// The payer declined a request.
    Declined,
    /// The payee withdrew a request.
    Withdrawn,
    /// Time ran out.
    Expired,
}

impl Step {
    /// The number that is stored.
    pub const fn number(self) -> i64 {
        match self {
            Step::Immediate => 1,
            Step::Hold => 2,
            Step::Request => 3,
            Step::Captured => 10,
            Step::Released => 11,
            Step::Accepted => 12,
            Step::Declined => 13,
            Step::Withdrawn => 14,
            Step::Expired => 15,
        }
    }

    /// The step of a stored number.
    pub const fn from_number(number: i64) -> Option<Step> {
        Some(match number {
            1 => Step::Immediate,
            2 => Step::Hold,
            3 => Step::Request,
            10 => Step::Captured,
            11 => Step::Released,
            12 => Step::Accepted,
            13 => Step::Declined,
            14 => Step::Withdrawn,
            15 => Step::Expired,
            _ => return None,
        })
    }

    /// How a transfer of this kind begins.
    pub const fn beginning(kind: TransferKind) -> Step {
        match kind {
            TransferKind::Immediate => Step::Immediate,
            TransferKind::Hold => Step::Hold,
            TransferKind::Request => Step::Request,
        }
    }

    /// How a transfer is settled by this action.
    pub const fn settling(action: Action) -> Step {
        match action {
            Action::Capture(_) => Step::Captured,
            Action::Release => Step::Released,
            Action::Accept => Step::Accepted,
            Action::Decline => Step::Declined,
            Action::Withdraw => Step::Withdrawn,
            Action::Expire => Step::Expired,
        }
    }

    /// Whether a transfer began with this row.
    pub const fn begins(self) -> bool {
        matches!(self, Step::Immediate | Step::Hold | Step::Request)
    }

    /// Whether money moved with this row.
    pub const fn posts(self) -> bool {
        matches!(self, Step::Immediate | Step::Captured | Step::Accepted)
    }

    /// Whether a transfer ended with this row without moving money.
    pub const fn ends(self) -> bool {
        matches!(self, Step::Released | Step::Declined | Step::Withdrawn | Step::Expired)
    }
}

/// Running totals: how many transfers began, were posted, and ended otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Totals {
    /// Transfers that began.
    pub(super) begun: i64,
    /// Transfers whose money moved.
    pub(super) posted: i64,
    /// Transfers that ended without.
    pub(super) ended: i64,
}

impl Totals {
    /// The totals after one more row.
    #[must_use]
    pub(super) const fn after(self, step: Step) -> Totals {
        Totals {
            begun: self.begun + if step.begins() { 1 } else { 0 },
            posted: self.posted + if step.posts() { 1 } else { 0 },
            ended: self.ended + if step.ends() { 1 } else { 0 },
        }
    }
}

/// The head of an account's chain, as the account's row carries it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Chain {
    /// How many rows there are.
    pub(super) entries: i64,
    pub(super) totals: Totals,
    /// Positions of the roots of the skew-binary trees, oldest first; the last is the newest row.
    spine: Vec<i64>,
}

/// What a row carries of one account's chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Link {
    /// Position of the row before, 0 for none.
    pub(super) prev: i64,
    /// Position that the jump leads to, 0 for none.
    pub(super) jump: i64,
    /// After this row.
    pub(super) totals: Totals,
}

impl Chain {
    /// The chain as stored, or `None` when its numbers do not fit each other.
    pub(super) fn stored(entries: i64, totals: Totals, spine: &[u8]) -> Option<Chain> {
        let (positions, []) = spine.as_chunks::<8>() else { return None };
        let spine: Vec<i64> = positions.iter().map(|bytes| i64::from_be_bytes(*bytes)).collect();
        // No ledger gets near the bound; a number beyond it is damage, and would overflow.
        let plausible = (0..=1 << 60).contains(&entries)
            && [totals.begun, totals.posted, totals.ended].iter().all(|total| (0..=entries).contains(total));
        (plausible && spine.len() == TreeSizes(entries).count()).then_some(Chain { entries, totals, spine })
    }

    /// Replaces `bytes` by what is stored of the spine.
    pub(super) fn put_spine(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend(self.spine.iter().flat_map(|position| position.to_be_bytes()));
    }

    /// Position of the newest row, 0 for none.
    pub(super) fn last_position(&self) -> i64 {
        self.spine.last().copied().unwrap_or(0)
    }

    /// Appends the row at `position` and tells what it carries.
    pub(super) fn push(&mut self, position: i64, step: Step) -> Link {
        let prev = self.last_position();
        // Two trees of equal size at the end become one, with the new row as their root.
        if self.ends_with_twins() {
            self.spine.truncate(self.spine.len() - 2);
        }
        let jump = self.spine.last().copied().unwrap_or(0);
        self.spine.push(position);
        self.entries += 1;
        self.totals = self.totals.after(step);
        Link { prev, jump, totals: self.totals }
    }
}

impl Chain {
    /// Whether the last two trees are of equal size. Each tree has 2^k − 1 entries, so entries and trees together are a sum of powers of
    /// two, one for each tree. They are all different unless the last two
    /// trees are equal, and only then there are as many ones in the sum.
    fn ends_with_twins(&self) -> bool {
        let trees = self.spine.len() as u64;
        u64::from((self.entries.unsigned_abs() + trees).count_ones()) != trees
    }
}

/// The sizes of the trees of a list of so many entries, largest first: the number as a sum of numbers 2^k − 1, of which only
/// the smallest may come twice.
struct TreeSizes(i64);

impl Iterator for TreeSizes {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let size = (1 << (self.0 + 1).checked_ilog2()?) - 1;
        self.0 -= size;
        (size > 0).then_some(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_row_is_reached_in_logarithmic_steps() {
        let mut chain = Chain::default();
        let (mut links, mut bytes) = (vec![], vec![]);
        let rows = 20_000;
        for position in 1..=rows {
            let link = chain.push(position, Step::Immediate);
            assert_eq!(chain.entries, position);
            let sizes: Vec<i64> = TreeSizes(position).collect();
            assert_eq!(chain.ends_with_twins(), sizes.len() > 1 && sizes[sizes.len() - 2] == sizes[sizes.len() - 1]);
            chain.put_spine(&mut bytes);
            assert_eq!(Chain::stored(chain.entries, chain.totals, &bytes), Some(chain.clone()));
            links.push(link);
        }
        assert!(chain.spine.len() <= 15, "the spine has {} positions", chain.spine.len());
        let mut most = 0;
        for target in (1..=rows).step_by(7) {
            let (mut at, mut hops) = (rows, 0);
            while at != target {
                let link = &links[usize::try_from(at).unwrap() - 1];
                at = if link.jump >= target { link.jump } else { link.prev };
                hops += 1;
            }
            most = most.max(hops);
        }
        assert!(most <= 3 * 14, "{most} hops");
    }
}

//! Whose each group of the journal is: who had asked for it when it happened, and who was told so.
//!
//! A group that happened is of one request, and the journal says of which: a text, an id or a key that only this request has; or, where
//! it happens each time anew, a text that only one attempt has. What has nothing of the kind, like the limits of an account, is not
//! asked for by two at a time. So nothing has to be guessed here, and of each group one can count:
//!
//! - it happened once at most, however often it was asked for;
//! - one attempt at most is told that it happened, and only one that was under way then;
//! - when it happened, not everyone who had asked is told that it did not.

use super::request::{Request, is_group};
use ledger_core::{Item, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[cfg(test)]
mod tests; // each way in which it can be wrong

/// A request on its way to a host and back.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) id: u64,
    /// As this attempt says it.
    pub(super) request: Arc<Request>,
    /// Number of the request, among all.
    pub(super) number: usize,
    /// Number of the host, among all.
    pub(super) host: u64,
    /// How many cuts there were when it was sent.
    pub(super) from: usize,
    /// The times at which it may have been decided.
    pub(super) times: Vec<Timestamp>,
}

/// What happened, of all that was asked for.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// The cut after each group that happened.
    happened: BTreeMap<Claim, usize>,
    /// Of the cuts that nobody was told of: the attempts that may be told of them still, or were never answered.
    untold: BTreeMap<usize, BTreeSet<u64>>,
}

/// Something that can happen once: a group of a request, or of one attempt of it when each makes it happen anew.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Claim {
    request: usize,
    attempt: Option<u64>,
    /// Its place among the groups of the request.
    group: usize,
}

impl Claim {
    fn of(attempt: &Attempt, group: usize) -> Claim {
        let anew = !attempt.request.is_repeatable();
        Claim { request: attempt.number, attempt: anew.then_some(attempt.id), group }
    }
}

impl Claims {
    /// A group happened while these were under way.
    ///
    /// # Panics
    /// When none of them asked for it, when it happened before, or when the journal does not say whose it is.
    pub(super) fn happened(&mut self, place: usize, items: &[Item], under_way: &[&Attempt]) {
        let mut claims: BTreeMap<Claim, BTreeSet<u64>> = BTreeMap::new();
        for attempt in under_way.iter().filter(|attempt| attempt.from <= place) {
            let groups = attempt.request.groups().enumerate();
            for (group, _) in groups.filter(|(_, group)| is_group(group, items)) {
                claims.entry(Claim::of(attempt, group)).or_default().insert(attempt.id);
            }
        }
        assert!(claims.len() < 2, "{items:?} at cut {place} may be of any of {claims:?}");
        let (claim, attempts) =
            claims.pop_first().unwrap_or_else(|| panic!("nobody asked for {items:?} at cut {place}"));
        if let Some(first) = self.happened.insert(claim, place) {
            panic!("{items:?} happened at cut {first} and again at cut {place}, for {claim:?}");
        }
        self.untold.insert(place, attempts);
    }

    /// Somebody was told that a group of theirs happened: gives the cut.
    ///
    /// # Panics
    /// When it did not happen while they waited, or when somebody else was told so before.
    pub(super) fn told(&mut self, attempt: &Attempt, group: usize) -> usize {
        let claim = Claim::of(attempt, group);
        let place = self.happened.get(&claim);
        let place =
            *place.unwrap_or_else(|| panic!("the journal does not have what {attempt:?} was told of {claim:?}"));
        let untold = self.untold.remove(&place);
        let untold = untold.unwrap_or_else(|| panic!("{claim:?} at cut {place} was told twice, then to {attempt:?}"));
        assert!(untold.contains(&attempt.id), "cut {place} was told to {attempt:?}, who asked later");
        place
    }

    /// Somebody was told that a group of theirs did not happen, or had happened before they asked.
    ///
    /// # Panics
    /// When it happened, and nobody else can have made it happen.
    pub(super) fn denied(&mut self, attempt: &Attempt, group: usize) {
        let claim = Claim::of(attempt, group);
        let Some(place) = self.happened.get(&claim) else { return };
        let Some(untold) = self.untold.get_mut(place) else { return };
        untold.remove(&attempt.id);
        assert!(!untold.is_empty(), "{claim:?} happened at cut {place}, and {attempt:?} was told that it did not");
    }

    /// The requests of which something happened.
    pub(super) fn requests(&self) -> BTreeSet<usize> {
        self.happened.keys().map(|claim| claim.request).collect()
    }
}

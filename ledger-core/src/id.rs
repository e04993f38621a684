//! The names of things: 128-bit identifiers, one type each so that they cannot be mixed up. Making them is the host's work.

/// A ledger: the boundary inside which balances sum to zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LedgerId(pub u128);

/// An account, unique in its ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountId(pub u128);

/// A transfer, unique in its ledger. Time-ordered values (UUIDv7) keep storage fast; nothing depends on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransferId(pub u128);

/// What a client sent to be safe when it retries: a digest of who sent it and of the text. Beside the transfer's id, because a
/// client that repeats itself cannot know the id that the first time was given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(pub u128);

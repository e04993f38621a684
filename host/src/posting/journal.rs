//! The journal's chain of hashes. What is hashed is the canonical form of `ledger_core::codec`.

use ledger_core::{LedgerId, Unit};
use sha2::{Digest, Sha256};

/// The hash of one record, and so of everything before it.
pub(super) type Hash = [u8; 32];

/// What the first record is chained to: the ledger itself, so that neither its id nor its unit can be changed.
pub(super) fn genesis(ledger: LedgerId, unit: &Unit) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"hesabu journal 1");
    hasher.update(ledger.0.to_be_bytes());
    hasher.update([unit.scale()]);
    hasher.update(unit.code().as_bytes());
    hasher.finalize().into()
}

/// The hash of the record `seq` with this body, after the record whose hash is `before`.
pub(super) fn record(before: &Hash, ledger: LedgerId, seq: i64, body: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(ledger.0.to_be_bytes());
    hasher.update(seq.to_be_bytes());
    hasher.update(body);
    hasher.finalize().into()
}

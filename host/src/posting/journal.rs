//! The journal's chain of hashes. What is hashed is the canonical form of `ledger_core::codec`.

use crate::store::{Db, Error, Row};
use ledger_core::{LedgerId, Timestamp, Unit};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The hash of one record, and so of everything before it.
pub type Hash = [u8; 32];

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

/// A hash as people read it: 64 hexadecimal digits.
pub fn hash_text(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A record as it is stored, for whoever wants to prove something by it. Whether it is right is for them to find out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Dense from 1.
    pub seq: i64,
    /// Of this record and everything before it.
    pub hash: Hash,
    /// In the canonical form of `ledger_core::codec`.
    pub body: Vec<u8>,
}

/// Records in order, after this one, at most so many.
///
/// # Errors
/// When the database fails.
pub async fn records(db: &Db, ledger: LedgerId, after: i64, limit: i64) -> Result<Vec<Record>, Error> {
    let sql = "select seq, hash, body from journal where ledger_id = $1 and seq > $2 order by seq limit $3";
    let rows = db.fetch_all(sql, vec![ledger.0.into(), after.into(), limit.into()]).await?;
    rows.iter()
        .map(|row| Ok(Record { seq: row.int("seq")?, hash: hash(row, "hash")?, body: row.bytes("body")? }))
        .collect()
}

/// The hashes of these records, by number.
///
/// # Errors
/// When the database fails.
pub async fn hashes(
    db: &Db,
    ledger: LedgerId,
    records: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, Hash>, Error> {
    let keys: Vec<_> = records.into_iter().map(Into::into).collect();
    let head = "select seq, hash from journal where ledger_id = $1 and seq";
    let rows = db.fetch_among(head, &[ledger.0.into()], &keys, "").await?;
    rows.iter().map(|row| Ok((row.int("seq")?, hash(row, "hash")?))).collect()
}

/// The number of the newest record, 0 for none, and the hash that the next is chained to.
///
/// # Errors
/// When the database fails, or there is no such ledger.
pub async fn head(db: &Db, ledger: LedgerId) -> Result<(i64, Hash), Error> {
    let row =
        db.fetch_optional("select head_seq, head_hash from ledger where ledger_id = $1", vec![ledger.0.into()]).await?;
    let row = row.ok_or_else(|| Error::Corrupt("there is no such ledger".into()))?;
    Ok((row.int("head_seq")?, hash(&row, "head_hash")?))
}

/// The time of the newest record: none that comes has an earlier one.
///
/// # Errors
/// When the database fails, or there is no such ledger.
pub async fn head_at(db: &Db, ledger: LedgerId) -> Result<Timestamp, Error> {
    let row = db.fetch_optional("select head_at from ledger where ledger_id = $1", vec![ledger.0.into()]).await?;
    let row = row.ok_or_else(|| Error::Corrupt("there is no such ledger".into()))?;
    row.int("head_at").map(Timestamp)
}

fn hash(row: &Row, column: &str) -> Result<Hash, Error> {
    row.bytes(column)?.try_into().map_err(|_| Error::Corrupt("a hash does not have 32 bytes".into()))
}

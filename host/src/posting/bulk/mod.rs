//! Writing one batch: the hot path of both engines, and the only place where they differ. What is written was decided before.
//!
//! Every write moves the head of its ledger from where the writer believes it to be, under the lease that the writer believes to
//! have. If either is not so, nothing at all is written: that is what keeps a host out that has lost its ledger to another one.

mod postgres; // one statement, a column at a time, and many rows beside it
mod sqlite; // prepared statements in a loop

pub(super) use postgres::{HAS_KEY as HAS_KEY_POSTGRES, NOW, Packed};
pub(super) use sqlite::HAS_KEY as HAS_KEY_SQLITE;

use super::journal::Hash;
use super::resident::{Mark, Slice};
use super::rows::{AccountRow, Appended};
use crate::store::{Db, Error, Rows, Tx, Value};
use ledger_core::{LedgerId, Timestamp};
use std::time::Instant;

/// How long a host keeps a ledger for itself after its last write. Others take over that much later when it dies.
pub(super) const LEASE: i64 = 3_000_000;

/// The head of a ledger: where the next batch continues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: Hash,
    pub(super) at: Timestamp,
    /// Position of the newest row of `transfer`.
    pub(super) last_position: i64,
    /// The greatest transfer id that came in order.
    pub(super) last_id: u128,
}

impl Head {
    pub(super) const fn mark(&self) -> Mark {
        Mark { seq: self.seq, position: self.last_position }
    }
}

/// Under which right a host writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Right {
    /// It has the ledger for itself, and keeps it.
    Owner,
    /// Several hosts take turns, or the owner lets go. For so many microseconds from now nobody takes the ledger for itself; 0 leaves
    /// that as it is, and less frees it at once.
    Shared { on: i64 },
}

/// What one batch writes.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) ledger: LedgerId,
    pub(super) epoch: i64,
    pub(super) right: Right,
    /// Where the journal ends, before and after.
    pub(super) before: Head,
    pub(super) after: Head,
    /// The body of the journal's new record; none when rows are only written behind.
    pub(super) body: Option<Vec<u8>>,
    pub(super) appended: Vec<Appended>,
    /// Rows of earlier batches that are settled by rows of this one, by position.
    pub(super) settled: Vec<(i64, i64)>,
    /// How many transfers began, were posted and ended otherwise.
    pub(super) counts: [i64; 3],
    /// Rows of others' tables (`beside.rs`).
    pub(super) beside: Vec<Rows>,
    /// Rows that follow, of this batch and earlier ones.
    pub(super) behind: Slice,
    /// Before it was sent: the lease that it renews lasts from here at least.
    pub(super) began: Instant,
}

/// What the database said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Written {
    /// Another host would like to post to this ledger.
    pub(super) wanted: bool,
}

/// Packs what is to be sent to the database, where that is work that can be done before it is its turn. None for SQLite, to which nothing
/// is sent.
pub(super) fn pack(db: &Db, write: &Write) -> Option<Packed> {
    match db {
        // What cannot be sent is said when it is written.
        Db::Postgres { .. } => Packed::of(write).ok(),
        Db::Sqlite { .. } => None,
    }
}

/// Writes in a transaction of its own, durable when this returns; `packed` if it was [packed](pack) before. `None`: the head is elsewhere, or
/// the ledger is another host's.
pub(super) async fn write_alone(db: &Db, write: &Write, packed: Option<Packed>) -> Result<Option<Written>, Error> {
    match db {
        Db::Postgres { .. } => {
            let packed = packed.map_or_else(|| Packed::of(write), Ok)?;
            postgres::write_alone(db, packed).await
        }
        Db::Sqlite { .. } => {
            let mut tx = db.begin_here().await?;
            let written = write_in(&mut tx, write).await?;
            if written.is_some() {
                tx.commit().await?;
            }
            Ok(written)
        }
    }
}

/// Writes in this transaction.
pub(super) async fn write_in(tx: &mut Tx, write: &Write) -> Result<Option<Written>, Error> {
    match tx {
        Tx::Here(here) => sqlite::write(here, write),
        _ => postgres::write(tx, Packed::whole(write)?).await,
    }
}

/// The same, for a caller who waits until it has ended, whatever happens.
pub(super) async fn write_to_the_end(tx: &mut Tx, write: &Write) -> Result<Option<Written>, Error> {
    match tx {
        Tx::Here(here) => sqlite::write(here, write),
        _ => postgres::write(tx, Packed::of(write)?).await,
    }
}

/// An account's numbers, in the order of the columns after `account_id` and before `spine` and `windows`.
fn account_numbers(AccountRow { account, chain, as_of, .. }: &AccountRow) -> [i64; 12] {
    [
        account.balance.minor(),
        account.held_out.minor(),
        account.held_in.minor(),
        account.floor.minor(),
        account.ceiling.minor(),
        super::rows::status_number(account.status),
        *as_of,
        chain.last_position(),
        chain.entries,
        chain.totals.begun,
        chain.totals.posted,
        chain.totals.ended,
    ]
}

/// The values that both engines' updates of the ledger have in common: $1 to $13.
fn head_values(write: &Write) -> [Value; 13] {
    let Write { before, after, counts: [begun, posted, ended], behind, .. } = write;
    [
        write.ledger.0.into(),
        after.seq.into(),
        after.hash.to_vec().into(),
        after.at.0.into(),
        after.last_position.into(),
        after.last_id.into(),
        (*begun).into(),
        (*posted).into(),
        (*ended).into(),
        behind.flushed.seq.into(),
        behind.flushed.position.into(),
        before.seq.into(),
        write.epoch.into(),
    ]
}

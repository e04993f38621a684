//! Who posts to a ledger: one host that has it for itself, or several that take turns.
//!
//! | the ledger's row says | who may post, and how |
//! | --- | --- |
//! | an owner, and time left | the owner: it keeps accounts in memory, decides without asking, and writes rows behind |
//! | nobody, and time left | everybody: they lock the row, follow what others posted (`follow.rs`), and write their batch |
//! | no time left | whoever takes it for itself, under the next epoch |
//!
//! A host that finds an owner asks it to let go (`lease_wanted`); the owner hears it with its next write, writes everything and lets
//! go. Hosts share, and do not forward to an owner, because it needs no addresses, no second network and no
//! trust between hosts: the database is all that they have in common anyway. When for [`SHARE_FOR`] nobody else has posted, a
//! host takes the ledger for itself again.
//!
//! The lease is etiquette; what keeps the books right is that every write names the epoch and the head it builds on (`bulk`).

use super::bulk::{Head, LEASE, NOW};
use super::pages;
use super::resident::Mark;
use crate::store::{Db, Error, Tx};
use const_format::formatcp;
use ledger_core::{LedgerId, Timestamp};
use std::time::{Duration, Instant};

/// How long several hosts share a ledger after more than one of them posted, in microseconds.
pub(super) const SHARE_FOR: i64 = 10_000_000;

/// How old a lease becomes before it is asked for again.
const KEEP_AFTER: Duration = Duration::from_secs(1);

/// A ledger's row, locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LedgerRow {
    pub(super) head: Head,
    /// The rows of accounts and keys have everything up to here.
    pub(super) flushed: Mark,
    pub(super) epoch: i64,
    owner: Option<u128>,
    /// By the database's clock, as is `now`.
    until: i64,
    now: i64,
}

/// What a host may do with a ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    /// Take it for itself.
    Free,
    /// Post in turn with others.
    Shared,
    /// Wait: another host has it.
    Taken,
}

impl LedgerRow {
    pub(super) fn claim(&self, host: u128) -> Claim {
        match self.owner {
            _ if self.until <= self.now => Claim::Free,
            Some(owner) if owner == host => Claim::Free,
            Some(_) => Claim::Taken,
            None => Claim::Shared,
        }
    }
}

const COLUMNS: &str = "head_seq, head_hash, head_at, last_position, last_id, flushed_seq, flushed_position, lease_epoch, lease_owner, lease_until";
/// SQLite's file is one process's: there is always time to take it, and the transaction has the only lock.
const LOCK_SQLITE: &str =
    formatcp!("select {COLUMNS}, cast(9223372036854775807 as bigint) as now from ledger where ledger_id = $1");
const LOCK_POSTGRES: &str = formatcp!("select {COLUMNS}, {NOW} as now from ledger where ledger_id = $1 for update");

/// Locks the ledger's row until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, ledger: LedgerId) -> Result<Option<LedgerRow>, Error> {
    let sql = if matches!(tx, Tx::Postgres { .. }) { LOCK_POSTGRES } else { LOCK_SQLITE };
    let Some(row) = tx.fetch_optional(sql, vec![ledger.0.into()]).await? else { return Ok(None) };
    let hash = row.bytes("head_hash")?.try_into();
    Ok(Some(LedgerRow {
        head: Head {
            seq: row.int("head_seq")?,
            hash: hash.map_err(|_| Error::Corrupt("the head of the journal is no hash".into()))?,
            at: Timestamp(row.int("head_at")?),
            last_position: row.int("last_position")?,
            last_id: row.id("last_id")?,
        },
        flushed: Mark { seq: row.int("flushed_seq")?, position: row.int("flushed_position")? },
        epoch: row.int("lease_epoch")?,
        owner: row.optional_id("lease_owner")?,
        until: row.int("lease_until")?,
        now: row.int("now")?,
    }))
}

/// A lease while a ledger is being read, which may take longer than it lasts.
pub(super) struct Lease<'d> {
    db: &'d Db,
    ledger: LedgerId,
    epoch: i64,
    since: Instant,
}

impl<'d> Lease<'d> {
    /// Of this epoch, asked for at `since`.
    pub(super) const fn new(db: &'d Db, ledger: LedgerId, epoch: i64, since: Instant) -> Lease<'d> {
        Lease { db, ledger, epoch, since }
    }

    /// When it was asked for last: it lasts for [`LEASE`] from here at least.
    pub(super) const fn since(&self) -> Instant {
        self.since
    }

    /// Makes it last longer, if it is some time since it was asked for.
    ///
    /// # Errors
    /// When another host has the ledger now, and as [`Error`].
    pub(super) async fn keep(&mut self) -> Result<(), Error> {
        // SQLite has no lease that could run out.
        if self.since.elapsed() < KEEP_AFTER || matches!(self.db, Db::Sqlite { .. }) {
            return Ok(());
        }
        let began = Instant::now();
        let sql =
            formatcp!("update ledger set lease_until = {NOW} + {LEASE} where ledger_id = $1 and lease_epoch = $2");
        let mut tx = self.db.begin_here().await?;
        if tx.execute(sql, vec![self.ledger.0.into(), self.epoch.into()]).await? == 0 {
            return Err(Error::Retry("another host has taken the ledger".into()));
        }
        tx.commit().await?;
        self.since = began;
        Ok(())
    }
}

/// Takes the ledger for `host`, and tells the row as it is now; or asks the host that has it to let go.
pub(super) async fn take(db: &Db, ledger: LedgerId, host: u128) -> Result<Option<(LedgerRow, Claim)>, Error> {
    let mut tx = db.begin_here().await?;
    let Some(mut row) = lock(&mut tx, ledger).await? else { return Ok(None) };
    let claim = row.claim(host);
    match claim {
        Claim::Free => {
            row.epoch += 1;
            // SQLite has no lease that could run out.
            let until = if row.now == i64::MAX { 0 } else { row.now + LEASE };
            let sql = "update ledger set lease_epoch = $2, lease_owner = $3, lease_until = $4, lease_wanted = false where ledger_id = $1";
            tx.execute(sql, vec![ledger.0.into(), row.epoch.into(), host.into(), until.into()]).await?;
            pages::drop_unfinished(&mut tx, ledger, row.flushed.seq).await?;
            tx.commit().await?;
        }
        Claim::Shared => {}
        Claim::Taken => {
            tx.execute("update ledger set lease_wanted = true where ledger_id = $1", vec![ledger.0.into()]).await?;
            tx.commit().await?;
        }
    }
    Ok(Some((row, claim)))
}

//! Following other hosts: while several take turns, each adds what the others posted to what it has in memory. The journal says all of it.
//!
//! # What lags while hosts take turns
//!
//! Batches leave the rows of accounts and keys as they are, and when much lags, or nobody posts any more, one host writes all of it at
//! once (`desk.rs`). What holds for every host that shares a ledger, whenever it has its turn and has followed:
//!
//! - It has in memory every account and key that a record after `ledger.flushed_seq` touched, because it decided that record, followed it, or
//!   read it when it took the ledger up. So what is not in memory is in the database as it is now.
//! - `flushed_seq` moves only to the end of the journal, in the transaction that writes everything which lags. A host that finds it moved
//!   has nothing left to write that was touched by that record or an earlier one.
//! - Whoever writes has followed, under the lock of the ledger's row: no row ever goes back to an older state.
//! - Rows of accounts whose limits or status changed were written with that batch, and those of windows always are. They are read again.

use super::Failure;
use super::decide::{Held, NO_IDS};
use super::find;
use super::history::Step;
use super::idempotency::{self, Kept};
use super::lease::LedgerRow;
use super::mint::IdOrder;
use super::recover::{Done, lost, redo};
use super::resident::{ById, Resident};
use super::rows::{self, AccountRow};
use super::windows;
use crate::store::{Error, Row, Tx};
use foldhash::fast::RandomState;
use ledger_core::{AccountId, Command, Item, Key, LedgerId, Timestamp, Transfer, TransferId, Verdict, Window, codec};
use std::collections::HashSet;

/// Records, and rows of `transfer`, by which a host may be behind. Further behind it reads everything anew, while others go on.
const RECORDS_MAX: i64 = 8_192;
const POSITIONS_MAX: i64 = 131_072;

/// A record of another host.
struct Record {
    seq: i64,
    first_position: i64,
    at: Timestamp,
    entries: Vec<(Item, Verdict)>,
}

/// What the database says beside the records.
struct Beside {
    /// The transfers that they settle.
    settled: ById<TransferId, Transfer>,
    /// Accounts that they touched, and that are not in memory or may be otherwise there.
    accounts: Vec<AccountRow>,
    /// All windows of accounts that they touched.
    windowed: Vec<AccountId>,
    windows: Vec<Window>,
    /// Keys that were refused before.
    refused: HashSet<Key, RandomState>,
}

/// Brings what is held to the ledger's row, which is locked.
///
/// # Errors
/// [`Failure::Lost`] when it is too far behind, and is good for nothing.
pub(super) async fn follow(tx: &mut Tx, held: &mut Held, row: &LedgerRow) -> Result<(), Failure> {
    let behind = (row.head.seq - held.head.seq, row.head.last_position - held.head.last_position);
    if behind.0 > RECORDS_MAX || behind.1 > POSITIONS_MAX {
        return Err(Failure::Lost);
    }
    let known = super::locked(&held.resident).flushed();
    let flushed = (known != row.flushed).then_some(row.flushed);
    // It only moves to where the journal ends.
    if flushed.is_some_and(|flushed| flushed.seq < held.head.seq) {
        return Err(Failure::Lost);
    }
    let records = if behind.0 == 0 { vec![] } else { records(tx, held.ledger, held.head.seq).await? };
    let beside = Beside::of(tx, held, &records).await?;
    let mut resident = super::locked(&held.resident);
    if let Some(flushed) = flushed.filter(|flushed| flushed.seq == held.head.seq) {
        resident.written_elsewhere(flushed);
    }
    let Beside { settled, accounts, windowed, windows, refused } = beside;
    accounts.into_iter().for_each(|row| resident.renew(row));
    windowed.into_iter().for_each(|account| resident.windows.restore(account, vec![]));
    resident.windows.admit(windows);
    for record in &records {
        add(&mut resident, record, &settled)?;
        keep(&mut resident, record, &refused);
        if let Some(flushed) = flushed.filter(|flushed| flushed.seq == record.seq) {
            resident.written_elsewhere(flushed);
        }
    }
    drop(resident);
    if held.head != row.head {
        let begun = entries(&records).filter_map(|(item, _)| match &item.command {
            Command::Create(create) => Some(create.id.0),
            _ => None,
        });
        held.newest = begun.fold(held.newest.max(row.head.last_id), u128::max);
        held.head = row.head;
        held.minted = IdOrder::after_others(row.head.last_id);
        held.unwritten = NO_IDS;
        held.recent.clear();
    }
    held.epoch = row.epoch;
    Ok(())
}

fn entries(records: &[Record]) -> impl Iterator<Item = &(Item, Verdict)> {
    records.iter().flat_map(|record| &record.entries)
}

async fn records(tx: &mut Tx, ledger: LedgerId, after: i64) -> Result<Vec<Record>, Error> {
    let sql = "select seq, first_position, body from journal where ledger_id = $1 and seq > $2 order by seq";
    let rows = tx.fetch_all(sql, vec![ledger.0.into(), after.into()]).await?;
    let record = |row: &Row| {
        let (at, entries) = codec::decode_batch(&row.bytes("body")?)
            .map_err(|_| Error::Corrupt("a journal record is not in canonical form".into()))?;
        Ok(Record { seq: row.int("seq")?, first_position: row.int("first_position")?, at, entries })
    };
    rows.iter().map(record).collect()
}

impl Beside {
    async fn of(tx: &mut Tx, held: &Held, records: &[Record]) -> Result<Beside, Error> {
        let settled = settled(tx, held.ledger, records).await?;
        let (wanted, mut windowed) = {
            let resident = super::locked(&held.resident);
            let (mut wanted, mut windowed) = (vec![], vec![]);
            for account in touched(records, &settled) {
                match (account, resident.account(account.id())) {
                    (Touched::Moved(_), Some(row)) if !row.account.windowed => {}
                    (Touched::Moved(_), Some(row)) => windowed.push(row.clone()),
                    (Touched::Moved(id), None) | (Touched::Governed(id), _) => wanted.push(id),
                }
            }
            wanted.sort_unstable();
            wanted.dedup();
            (wanted, windowed)
        };
        let accounts = if wanted.is_empty() { vec![] } else { rows::load_accounts(tx, held.ledger, &wanted).await? };
        windowed.retain(|row| wanted.binary_search(&row.account.id).is_err());
        windowed.extend(accounts.iter().cloned());
        windowed.sort_unstable_by_key(|row| row.account.id);
        windowed.dedup_by_key(|row| row.account.id);
        let windows = windows::load(tx, held.ledger, &windowed).await?;
        let windowed = windowed.into_iter().map(|row| row.account.id).collect();
        let refused = refused(tx, held, records).await?;
        Ok(Beside { settled, accounts, windowed, windows, refused })
    }
}

/// An account, and what a record did to it.
#[derive(Clone, Copy)]
enum Touched {
    /// Opened, limited, frozen or closed.
    Governed(AccountId),
    /// Money was moved, or was to be.
    Moved(AccountId),
}

impl Touched {
    const fn id(self) -> AccountId {
        let (Touched::Governed(id) | Touched::Moved(id)) = self;
        id
    }
}

/// The accounts that these records touched, some of them often.
fn touched(records: &[Record], settled: &ById<TransferId, Transfer>) -> impl Iterator<Item = Touched> {
    entries(records).flat_map(|(item, verdict)| {
        let moved = |payer, payee| [Some(Touched::Moved(payer)), Some(Touched::Moved(payee))];
        let governed = |account| [Some(Touched::Governed(account)), None];
        let all = match (&item.command, verdict) {
            (Command::Create(create), Verdict::Transfer { .. }) => moved(create.payer, create.payee),
            (Command::Settle(settle), Verdict::Transfer { .. }) => match settled.get(&settle.transfer) {
                Some(transfer) => moved(transfer.payer, transfer.payee),
                None => [None, None],
            },
            (Command::OpenAccount(open), Verdict::Account) => governed(open.account),
            (Command::SetLimits(limits), Verdict::Account) => governed(limits.account),
            (Command::SetStatus(status), Verdict::Account) => governed(status.account),
            (Command::SetWindow(window), Verdict::Account) => governed(window.account),
            _ => [None, None],
        };
        all.into_iter().flatten()
    })
}

/// The transfers that these records settle.
async fn settled(tx: &mut Tx, ledger: LedgerId, records: &[Record]) -> Result<ById<TransferId, Transfer>, Error> {
    let ids = entries(records).filter_map(|(item, verdict)| match &item.command {
        Command::Settle(settle) if matches!(verdict, Verdict::Transfer { .. }) => Some(settle.transfer),
        _ => None,
    });
    let mut ids: Vec<TransferId> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(ById::default());
    }
    let rows = find::transfers(tx, ledger, &ids).await?;
    Ok(rows.into_iter().map(|row| (row.transfer.id, row.transfer)).collect())
}

/// Keys that were refused in these records, and that the database had been given before.
async fn refused(tx: &mut Tx, held: &Held, records: &[Record]) -> Result<HashSet<Key, RandomState>, Error> {
    let mut keys: Vec<Key> = {
        let resident = super::locked(&held.resident);
        let kept = records.iter().flat_map(Record::kept).filter(|kept| kept.refused.is_some()).map(|kept| kept.key);
        kept.filter(|key| resident.keys.filter.may_have(*key) && resident.keys.kept(*key).is_none()).collect()
    };
    if keys.is_empty() {
        return Ok(HashSet::default());
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(idempotency::load(tx, held.ledger, &keys).await?.into_iter().map(|kept| kept.key).collect())
}

impl Record {
    /// What it made of the keys of its commands.
    fn kept(&self) -> impl Iterator<Item = Kept> {
        self.entries.iter().filter_map(|(item, verdict)| Kept::of(&item.command, verdict, self.at))
    }
}

/// Keeps the keys of a record. What was refused is refused again in the same words: the first time counts.
fn keep(resident: &mut Resident, record: &Record, refused: &HashSet<Key, RandomState>) {
    let keys = &mut resident.keys;
    for kept in record.kept() {
        let is_new = !keys.filter.may_have(kept.key) || (keys.kept(kept.key).is_none() && !refused.contains(&kept.key));
        if is_new {
            keys.keep(kept);
        }
    }
}

/// Adds a record to the accounts that it touched.
fn add(resident: &mut Resident, record: &Record, settled: &ById<TransferId, Transfer>) -> Result<(), Error> {
    let mut position = record.first_position;
    for (item, verdict) in &record.entries {
        let Verdict::Transfer { payer_balance, payee_balance } = *verdict else { continue };
        let (begun, step, payer, payee, amount) = match &item.command {
            Command::Create(create) => {
                let step = Step::beginning(create.kind);
                (step, step, create.payer, create.payee, create.amount)
            }
            Command::Settle(settle) => {
                let transfer = settled.get(&settle.transfer).ok_or_else(lost)?;
                let begun = Step::beginning(transfer.kind);
                (begun, Step::settling(settle.action), transfer.payer, transfer.payee, transfer.amount)
            }
            _ => continue,
        };
        position += 1;
        let (payer, payee, amount) = ((payer, payer_balance), (payee, payee_balance), amount.minor());
        let done = Done { position, seq: record.seq, step, begun, amount, payer, payee };
        for (account, balance) in [payer, payee] {
            let place = resident.place(account).ok_or_else(lost)?;
            // Its row may have been read when it had this already.
            if resident.at(place).chain.last_position() < position {
                redo(resident.change(place), &done, balance)?;
            }
        }
    }
    Ok(())
}

//! Following other hosts: while several take turns, each adds what the others posted to what it has in memory. The journal says all of it.
//!
//! # What lags while hosts take turns
//!
//! Batches leave the rows of accounts and keys as they are, and when much lags, or nobody posts any more, one host writes all of it at
//! once (`desk.rs`). What holds for every host that shares a ledger, whenever it has its turn and has followed:
//!
//! - It has in memory every account and key that a record after `ledger.flushed_seq` touched, because it decided that record, followed it, or
//!   read it when it took the ledger up. So what is not in memory is in the database as it is now.
//! - In turns `flushed_seq` moves only to the end of the journal, in the transaction that writes everything which lags: an owner has written
//!   everything before it lets go. A host that finds it moved has nothing left to write that was touched by that record or an earlier one.
//! - Whoever writes has followed, under the lock of the ledger's row: no row ever goes back to an older state.
//! - Rows of accounts whose limits, status or windows were changed by a command were written with that batch. They are read again.

use super::Failure;
use super::bulk::Head;
use super::decide::{Held, NO_IDS};
use super::find;
use super::history::Step;
use super::idempotency::{self, Kept};
use super::journal;
use super::lease::LedgerRow;
use super::mint::IdOrder;
use super::recover::{Done, lost, redo};
use super::resident::{ById, Resident};
use super::rows::{self, AccountRow};
use crate::store::{Error, Tx};
use foldhash::fast::RandomState;
use ledger_core::{AccountId, Command, Item, Key, LedgerId, Timestamp, Transfer, TransferId, Verdict, codec};
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
    /// Keys that were refused before.
    refused: HashSet<Key, RandomState>,
}

/// Brings what is held to the ledger's row, which is locked.
///
/// # Errors
/// [`Failure::Lost`] when it is too far behind, or no past of the row's head: then it is good for nothing.
pub(super) async fn follow(tx: &mut Tx, held: &mut Held, row: &LedgerRow) -> Result<(), Failure> {
    let behind = (row.head.seq - held.head.seq, row.head.last_position - held.head.last_position);
    if !(0..=RECORDS_MAX).contains(&behind.0) || !(0..=POSITIONS_MAX).contains(&behind.1) {
        return Err(Failure::Lost);
    }
    let known = super::locked(&held.resident).flushed();
    let flushed = (known != row.flushed).then_some(row.flushed);
    // It only moves to where the journal ends.
    if flushed.is_some_and(|flushed| flushed.seq < held.head.seq) {
        return Err(Failure::Lost);
    }
    let records = records(tx, held.ledger, &held.head, &row.head).await?.ok_or(Failure::Lost)?;
    let beside = Beside::of(tx, held, &records).await?;
    let mut resident = super::locked(&held.resident);
    if let Some(flushed) = flushed.filter(|flushed| flushed.seq == held.head.seq) {
        resident.written_elsewhere(flushed);
    }
    let Beside { settled, accounts, refused } = beside;
    accounts.into_iter().for_each(|row| resident.renew(row));
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

/// The records that lead from one head to another; none when they do not. A database that came back without its newest records has others
/// in their place, and what was learned of those that are gone must not stay.
async fn records(tx: &mut Tx, ledger: LedgerId, from: &Head, to: &Head) -> Result<Option<Vec<Record>>, Error> {
    let (mut hash, mut records) = (from.hash, vec![]);
    if from.seq < to.seq {
        let sql = "select seq, first_position, body from journal where ledger_id = $1 and seq > $2 order by seq";
        for row in &tx.fetch_all(sql, vec![ledger.0.into(), from.seq.into()]).await? {
            let (seq, first_position, body) = (row.int("seq")?, row.int("first_position")?, row.bytes("body")?);
            hash = journal::record(&hash, ledger, seq, &body);
            let (at, entries) = codec::decode_batch(&body)
                .map_err(|_| Error::Corrupt("a journal record is not in canonical form".into()))?;
            records.push(Record { seq, first_position, at, entries });
        }
    }
    Ok((hash == to.hash).then_some(records))
}

impl Beside {
    async fn of(tx: &mut Tx, held: &Held, records: &[Record]) -> Result<Beside, Error> {
        let settled = settled(tx, held.ledger, records).await?;
        let mut wanted: Vec<AccountId> = {
            let resident = super::locked(&held.resident);
            let wanted = touched(records, &settled).filter_map(|account| match account {
                Touched::Moved(id) if resident.place(id).is_some() => None,
                Touched::Moved(id) | Touched::Governed(id) => Some(id),
            });
            wanted.collect()
        };
        wanted.sort_unstable();
        wanted.dedup();
        let accounts = if wanted.is_empty() { vec![] } else { rows::load_accounts(tx, held.ledger, &wanted).await? };
        let refused = refused(tx, held, records).await?;
        Ok(Beside { settled, accounts, refused })
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
        } else {
            // Which keys are stored may be being read, from where this one was not yet.
            keys.filter.add(kept.key);
        }
    }
}

/// Adds a record to the accounts that it touched.
fn add(resident: &mut Resident, record: &Record, settled: &ById<TransferId, Transfer>) -> Result<(), Error> {
    let mut position = record.first_position;
    for (item, verdict) in &record.entries {
        let Verdict::Transfer { payer_balance, payee_balance } = *verdict else { continue };
        let (step, transfer) = match &item.command {
            Command::Create(create) => (Step::beginning(create.kind), Transfer::begun(create, record.at)),
            Command::Settle(settle) => {
                let transfer = settled.get(&settle.transfer).ok_or_else(lost)?;
                (Step::settling(settle.action), transfer.settled(settle.action))
            }
            _ => continue,
        };
        position += 1;
        let done = Done { position, seq: record.seq, at: record.at, step, transfer, payer_balance, payee_balance };
        for (account, balance) in done.sides() {
            let place = resident.place(account).ok_or_else(lost)?;
            // Its row may have been read when it had this already.
            if resident.at(place).chain.last_position() < position {
                redo(resident.change(place), &done, balance)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Record, keep};
    use crate::posting::blocks::Blocks;
    use crate::posting::filter::Filter;
    use crate::posting::resident::{Mark, Resident};
    use ledger_core::{
        AccountId, Amount, Command, Create, Item, Key, Memo, Rejection, Timestamp, TransferId, TransferKind, Verdict,
    };
    use std::sync::Arc;
    use tokio::sync::SetOnce;

    /// It was stored after its place had been read, so that those who read will not find it.
    #[test]
    fn a_refused_key_that_is_stored_already_is_known_when_stored_keys_have_been_read() {
        let key = Key(7);
        let create = Create {
            id: TransferId(1),
            kind: TransferKind::Immediate,
            payer: AccountId(1),
            payee: AccountId(2),
            amount: Amount::new(5).unwrap(),
            expires_at: None,
            key: Some(key),
            payable_now: false,
            memo: Memo::NONE,
        };
        let refused = Verdict::Refused(Rejection::PayerFrozen);
        let entries = vec![(Item::alone(Command::Create(create)), refused)];
        let record = Record { seq: 1, first_position: 0, at: Timestamp(9), entries };
        let blocks = Arc::new(SetOnce::new());
        let mut resident = Resident::new(Mark::default(), 1_000);
        resident.keys.filter = Filter::reading(&blocks);
        keep(&mut resident, &record, &[key].into_iter().collect());
        blocks.set(Blocks::default()).unwrap();
        assert!(resident.keys.filter.may_have(key));
    }
}

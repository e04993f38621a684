//! Following other hosts: while several take turns, each adds what the others posted to what it has in memory, instead of reading
//! again whatever it needs. The journal says all of it.

use super::decide::{Held, NO_IDS};
use super::find;
use super::history::Step;
use super::idempotency::Kept;
use super::lease::LedgerRow;
use super::mint::IdOrder;
use super::recover::{Done, lost, redo};
use super::resident::{ById, Resident};
use crate::store::{Error, Tx};
use ledger_core::{Command, Item, LedgerId, Timestamp, Transfer, TransferId, Verdict, codec};

/// Records by which a host may be behind. Further behind, reading anew what is needed is quicker.
const RECORDS_MAX: i64 = 16;

/// A record of another host.
struct Record {
    seq: i64,
    first_position: i64,
    at: Timestamp,
    entries: Vec<(Item, Verdict)>,
}

/// Brings what is held to the ledger's row. False when that cannot be done by adding: what is held is then good for nothing but its
/// keys, and those only if they are known still.
pub(super) async fn follow(tx: &mut Tx, held: &mut Held, row: &LedgerRow) -> Result<bool, Error> {
    if row.head.seq - held.head.seq > RECORDS_MAX {
        super::locked(&held.resident).keys.filter = Default::default();
        return Ok(false);
    }
    let records = records(tx, held.ledger, held.head.seq).await?;
    {
        let mut resident = super::locked(&held.resident);
        let kept = |record: &Record| {
            let at = record.at;
            record.entries.iter().filter_map(move |(item, verdict)| Kept::of(&item.command, verdict, at)).collect()
        };
        let kept: Vec<Vec<Kept>> = records.iter().map(kept).collect();
        kept.iter().flatten().for_each(|kept| resident.keys.filter.add(kept.key));
    }
    let only_transfers = |(item, _): &(Item, Verdict)| matches!(item.command, Command::Create(_) | Command::Settle(_));
    if !records.iter().flat_map(|record| &record.entries).all(only_transfers) {
        return Ok(false);
    }
    let settled = settled(tx, held.ledger, &records).await?;
    let mut resident = super::locked(&held.resident);
    for record in &records {
        if !add(&mut resident, record, &settled)? {
            return Ok(false);
        }
    }
    drop(resident);
    let begun = records.iter().flat_map(|record| &record.entries).filter_map(|(item, _)| match &item.command {
        Command::Create(create) => Some(create.id.0),
        _ => None,
    });
    held.newest = begun.fold(held.newest.max(row.head.last_id), u128::max);
    held.head = row.head;
    held.minted = IdOrder::after_others(row.head.last_id);
    held.unwritten = NO_IDS;
    held.recent.clear();
    Ok(true)
}

async fn records(tx: &mut Tx, ledger: LedgerId, after: i64) -> Result<Vec<Record>, Error> {
    let sql = "select seq, first_position, body from journal where ledger_id = $1 and seq > $2 order by seq";
    let rows = tx.fetch_all(sql, vec![ledger.0.into(), after.into()]).await?;
    let record = |row: &crate::store::Row| {
        let (at, entries) = codec::decode_batch(&row.bytes("body")?)
            .map_err(|_| Error::Corrupt("a journal record is not in canonical form".into()))?;
        Ok(Record { seq: row.int("seq")?, first_position: row.int("first_position")?, at, entries })
    };
    rows.iter().map(record).collect()
}

/// The transfers that these records settle.
async fn settled(tx: &mut Tx, ledger: LedgerId, records: &[Record]) -> Result<ById<TransferId, Transfer>, Error> {
    let ids = records.iter().flat_map(|record| &record.entries).filter_map(|(item, verdict)| match &item.command {
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

/// Adds a record to the accounts that are here. False when one of them has windows, whose use the record does not tell.
fn add(resident: &mut Resident, record: &Record, settled: &ById<TransferId, Transfer>) -> Result<bool, Error> {
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
            let Some(place) = resident.place(account) else { continue };
            if resident.at(place).account.windowed {
                return Ok(false);
            }
            redo(resident.follow(place), &done, balance)?;
        }
    }
    Ok(true)
}

//! Finding transfers by id: in the index, or, for immediate transfers whose ids came in order, in the record whose last id
//! reaches them. Deciding which ids need the index is in `mint.rs`.

use super::rows::{TRANSFERS, TransferRow, transfer_row};
use crate::store::{Error, Row, Tx, Value};
use const_format::{concatcp, formatcp};
use ledger_core::{LedgerId, TransferId};
use std::collections::HashSet;

/// The first record whose last id is at least $2, by halving: where an id that came in order must be. Each record is looked up by a
/// subquery that gives one value: a join might be run by reading the whole journal each time.
const SEARCH: &str = formatcp!(
    "with recursive search(below, upto) as (
    select cast(0 as bigint), head_seq from ledger where ledger_id = $1 and last_id >= $2
    union all
    select case when {MIDDLE} < $2 then (s.below + s.upto) / 2 else s.below end,
           case when {MIDDLE} < $2 then s.upto else (s.below + s.upto) / 2 end
    from search s where s.upto - s.below > 1
 )
 select first_position, last_position, last_id from journal
 where ledger_id = $1 and seq = (select upto from search where upto - below = 1)"
);

/// The last id of the record in the middle.
const MIDDLE: &str =
    "(select j.last_id from journal j where j.ledger_id = $1 and j.seq = (s.below + s.upto) / 2 limit 1)";

/// The rows of one record that began a transfer and are not in the index; one of them, or all.
const UNINDEXED: &str = concatcp!(
    TRANSFERS,
    " and b.position > $2 and b.position <= $3 and not b.indexed and b.settles is null and ($4 is null or b.transfer_id = $4)"
);

/// Transfers by id, as they stand: the row that began each, and the one that settled it if there is one.
pub(super) async fn transfers(tx: &mut Tx, ledger: LedgerId, ids: &[TransferId]) -> Result<Vec<TransferRow>, Error> {
    let keys: Vec<Value> = ids.iter().map(|id| id.0.into()).collect();
    let rows =
        tx.fetch_among(formatcp!("{TRANSFERS} and b.indexed and b.transfer_id"), &[ledger.0.into()], &keys, "").await?;
    let mut found: Vec<TransferRow> = rows.iter().map(transfer_row).collect::<Result<_, _>>()?;
    if found.len() < ids.len() {
        let here: HashSet<TransferId> = found.iter().map(|row| row.transfer.id).collect();
        let mut rest: Vec<TransferId> = ids.iter().filter(|id| !here.contains(id)).copied().collect();
        rest.sort_unstable();
        found.extend(in_order(tx, ledger, &rest).await?);
    }
    Ok(found)
}

/// The greatest id in the index; 0 when it is empty.
pub(super) async fn greatest_indexed(tx: &mut Tx, ledger: LedgerId) -> Result<u128, Error> {
    let sql = "select transfer_id from transfer where ledger_id = $1 and indexed order by transfer_id desc limit 1";
    tx.fetch_optional(sql, vec![ledger.0.into()]).await?.map_or(Ok(0), |row| row.id("transfer_id"))
}

/// Where the transfer of this id began.
pub(super) async fn position(tx: &mut Tx, ledger: LedgerId, id: TransferId) -> Result<Option<i64>, Error> {
    Ok(transfers(tx, ledger, &[id]).await?.pop().map(|row| row.position))
}

/// Those of these ids, which ascend, that are not in the index. Ids that fall into one record cost one search together.
async fn in_order(tx: &mut Tx, ledger: LedgerId, mut ids: &[TransferId]) -> Result<Vec<TransferRow>, Error> {
    let mut found = vec![];
    while let Some(first) = ids.first() {
        let Some(record) = tx.fetch_anew(SEARCH, vec![ledger.0.into(), first.0.into()]).await?.pop() else {
            // Greater than every id that came in order.
            break;
        };
        let last = record.id("last_id")?;
        let (mine, rest) = ids.split_at(ids.partition_point(|id| id.0 <= last));
        let only = if let [id] = mine { Some(id.0) } else { None };
        if mine.is_empty() {
            return Err(Error::Corrupt("the last id of a ledger is beyond that of its journal".into()));
        }
        let rows = tx.fetch_anew(UNINDEXED, extent(ledger, &record, only)?).await?;
        for row in &rows {
            let id = TransferId(row.id("transfer_id")?);
            if mine.binary_search(&id).is_ok() {
                found.push(transfer_row(row)?);
            }
        }
        ids = rest;
    }
    Ok(found)
}

fn extent(ledger: LedgerId, record: &Row, only: Option<u128>) -> Result<Vec<Value>, Error> {
    let (first, last) = (record.int("first_position")?, record.int("last_position")?);
    Ok(vec![ledger.0.into(), first.into(), last.into(), Value::Id(only)])
}

//! Bringing rows that were written behind up to date: what the journal and `transfer` have after them is added.
//!
//! Nothing is decided again: each row of `transfer` says what it did to both accounts, and what passed through their windows. Limits and status
//! never lag, since the row is written at once when they change. That the result is what a replay gives is what `verify` proves.

use super::bulk::Head;
use super::history::Step;
use super::idempotency::{self, Kept};
use super::lease::Lease;
use super::resident::{Mark, Resident};
use super::rows::{self, ACCOUNT_COLUMNS, AccountRow};
use crate::store::{Db, Error, Scanned, Tx, Value};
use const_format::concatcp;
use ledger_core::{
    AccountId, Amount, Direction, Key, LedgerId, Memo, Timestamp, Transfer, TransferId, TransferKind, codec,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Rows of `transfer` read at a time: so many that the accounts they touch lie close together when they are read in order.
const CHUNK: i64 = 131_072;

/// What each row did; how and when the transfer began, also for one that settles.
const STEPS: &str = "select t.position, t.seq, t.step, t.at, t.payer_id, t.payee_id, t.amount, t.moved, t.payer_balance, t.payee_balance,
        case when t.settles is null then t.step else (select b.step from transfer b where b.ledger_id = t.ledger_id and b.position = t.settles) end,
        case when t.settles is null then t.at else (select b.at from transfer b where b.ledger_id = t.ledger_id and b.position = t.settles) end
 from transfer t where t.ledger_id = $1 and t.position > $2 and t.position <= $3";

/// What a row of `transfer` did.
pub(super) struct Done {
    pub(super) position: i64,
    pub(super) seq: i64,
    pub(super) at: Timestamp,
    pub(super) step: Step,
    /// As this step left it. What neither an account nor a window asks of it may be missing: its id, its expiry, its text.
    pub(super) transfer: Transfer,
    pub(super) payer_balance: Amount,
    pub(super) payee_balance: Amount,
}

impl Done {
    /// Whom it touched, and their balances after it.
    pub(super) const fn sides(&self) -> [(AccountId, Amount); 2] {
        [(self.transfer.payer, self.payer_balance), (self.transfer.payee, self.payee_balance)]
    }
}

/// Everything that the rows of accounts and keys do not have yet, read into memory. Under a lease, the lease is kept meanwhile.
pub(super) async fn recover(
    tx: &mut Tx,
    ledger: LedgerId,
    flushed: Mark,
    head: &Head,
    resident: &mut Resident,
    mut lease: Option<&mut Lease<'_>>,
) -> Result<(), Error> {
    let (mut read, mut steps) = (flushed.position, vec![]);
    while read < head.last_position {
        if let Some(lease) = &mut lease {
            lease.keep().await?;
        }
        let end = head.last_position.min(read.saturating_add(CHUNK));
        steps.clear();
        let each = |row: &mut Scanned<'_>| {
            steps.push(done(row)?);
            Ok::<_, Error>(ControlFlow::Continue(()))
        };
        tx.scan(concatcp!(STEPS, " order by t.position"), &[ledger.0.into(), read.into(), end.into()], each).await?;
        // Positions are dense: a row that is not there is lost.
        if steps.last().is_none_or(|step| step.position != end) {
            return Err(lost());
        }
        read = end;
        admit(tx, ledger, &steps, resident).await?;
        for step in &steps {
            for (account, balance) in step.sides() {
                let place = resident.place(account).ok_or_else(lost)?;
                if resident.at(place).chain.last_position() < step.position {
                    redo(resident.change(place), step, balance)?;
                }
            }
        }
    }
    if let Some(lease) = lease {
        lease.keep().await?;
    }
    keys(tx, ledger, flushed, head, resident).await
}

/// Takes in the accounts of these steps.
async fn admit(tx: &mut Tx, ledger: LedgerId, steps: &[Done], resident: &mut Resident) -> Result<(), Error> {
    let parties = steps.iter().flat_map(|step| [step.transfer.payer, step.transfer.payee]);
    let mut missing: Vec<AccountId> = parties.filter(|id| resident.place(*id).is_none()).collect();
    missing.sort_unstable();
    missing.dedup();
    let rows = rows::load_accounts(tx, ledger, &missing).await?;
    for row in rows {
        resident.admit(row);
    }
    Ok(())
}

pub(super) fn lost() -> Error {
    Error::Corrupt("the end of a ledger is not in its tables".into())
}

/// Adds a step to an account that does not have it yet.
pub(super) fn redo(row: &mut AccountRow, step: &Done, balance: Amount) -> Result<(), Error> {
    let Done { transfer, at, .. } = step;
    let held = match (transfer.kind, step.step) {
        (TransferKind::Hold, Step::Hold) => transfer.amount.minor(),
        (TransferKind::Hold, _) => -transfer.amount.minor(),
        (TransferKind::Immediate | TransferKind::Request, _) => 0,
    };
    let account = &mut row.account;
    let (side, direction) = match transfer.payer == account.id {
        true => (&mut account.held_out, Direction::Out),
        false => (&mut account.held_in, Direction::In),
    };
    row.windows.count(direction, transfer, *at);
    *side = Amount::new(side.minor() + held).filter(|held| *held >= Amount::ZERO).ok_or_else(lost)?;
    account.balance = balance;
    row.chain.push(step.position, step.step);
    row.as_of = step.seq;
    Ok(())
}

fn done(row: &mut Scanned<'_>) -> Result<Done, Error> {
    let (position, seq, step, at) = (row.int()?, row.int()?, rows::step(row.int()?)?, Timestamp(row.int()?));
    let (payer, payee) = (AccountId(row.id()?), AccountId(row.id()?));
    let (amount, moved) = (rows::checked(row.int()?)?, rows::checked(row.int()?)?);
    let (payer_balance, payee_balance) = (rows::checked(row.int()?)?, rows::checked(row.int()?)?);
    let (kind, created_at) = (rows::kind(rows::step(row.int()?)?)?, Timestamp(row.int()?));
    let (id, state, expires_at, memo) = (TransferId(0), rows::state_after(step), None, Memo::NONE);
    let transfer = Transfer { id, kind, payer, payee, amount, moved, state, expires_at, created_at, memo };
    Ok(Done { position, seq, at, step, transfer, payer_balance, payee_balance })
}

/// Keys of the records after `flushed`. Some may have their rows already; writing them again changes nothing, and costs less than
/// looking for each.
async fn keys(tx: &mut Tx, ledger: LedgerId, flushed: Mark, head: &Head, resident: &mut Resident) -> Result<(), Error> {
    let sql = "select body from journal where ledger_id = $1 and seq > $2 order by seq";
    let mut refused = vec![];
    let each = |row: &mut Scanned<'_>| {
        let (at, entries) = codec::decode_batch(row.bytes()?)
            .map_err(|_| Error::Corrupt("a journal record is not in canonical form".into()))?;
        for (item, verdict) in &entries {
            let Some(kept) = Kept::of(&item.command, verdict, at) else { continue };
            if kept.refused.is_some() {
                refused.push(kept);
            } else if resident.keys.kept(kept.key).is_none() {
                resident.keys.keep_again(kept);
            }
        }
        Ok::<_, Error>(ControlFlow::Continue(()))
    };
    if flushed.seq < head.seq {
        tx.scan(sql, &[ledger.0.into(), flushed.seq.into()], each).await?;
    }
    // What was refused is refused again in the same words: the first time counts, which may be before all this.
    let names: Vec<Key> = refused.iter().map(|kept| kept.key).collect();
    let stored = idempotency::load(tx, ledger, &names).await?;
    let stored: HashSet<Key> = stored.iter().map(|kept| kept.key).collect();
    for kept in refused {
        if !stored.contains(&kept.key) && resident.keys.kept(kept.key).is_none() {
            resident.keys.keep_again(kept);
        }
    }
    Ok(())
}

/// With how far the rows of the ledger go, and its transfers; ends with the column of their ids.
const LAGGING: &str = concatcp!(
    "select ",
    ACCOUNT_COLUMNS,
    ", (select flushed_position from ledger where ledger_id = $1) as flushed,
       (select l.last_position from ledger l where l.ledger_id = $1) as newest
     from account where ledger_id = $1 and account_id"
);

/// Those of these accounts that there are, as the database has them, with what their rows do not have yet.
///
/// # Errors
/// When the database fails.
pub(super) async fn accounts(db: &Db, ledger: LedgerId, ids: &[AccountId]) -> Result<Vec<AccountRow>, Error> {
    let keys: Vec<Value> = ids.iter().map(|id| id.0.into()).collect();
    let stored = db.fetch_among(LAGGING, &[ledger.0.into()], &keys, "").await?;
    let mut rows = Vec::with_capacity(stored.len());
    for stored in &stored {
        let row = rows::account_row(stored)?;
        // Mostly nothing lags.
        if stored.int("flushed")?.max(row.chain.last_position()) >= stored.int("newest")? {
            rows.push(row);
            continue;
        }
        // Whoever asked may go away. A scan that was begun must be received to its end all the same: what is left of it would be taken
        // for the answer to the next question on its connection.
        let reading = tokio::spawn(stored_account(db.clone(), ledger, row.account.id));
        rows.extend(reading.await.unwrap_or_else(|error| Err(Error::Unavailable(error.into())))?);
    }
    Ok(rows)
}

async fn stored_account(db: Db, ledger: LedgerId, id: AccountId) -> Result<Option<AccountRow>, Error> {
    let mut tx = db.begin_read().await?;
    let Some(mut row) = rows::load_accounts(&mut tx, ledger, &[id]).await?.pop() else { return Ok(None) };
    let marks = "select flushed_position, last_position from ledger where ledger_id = $1";
    let marks = tx.fetch_optional(marks, vec![ledger.0.into()]).await?.ok_or_else(lost)?;
    let (flushed, last) = (marks.int("flushed_position")?, marks.int("last_position")?);
    let from = flushed.max(row.chain.last_position());
    if from < last {
        let sql = concatcp!(STEPS, " and (t.payer_id = $4 or t.payee_id = $4) order by t.position");
        let values = [ledger.0.into(), from.into(), last.into(), id.0.into()];
        let each = |step: &mut Scanned<'_>| {
            let step = done(step)?;
            let balance = if step.transfer.payer == id { step.payer_balance } else { step.payee_balance };
            redo(&mut row, &step, balance)?;
            Ok::<_, Error>(ControlFlow::Continue(()))
        };
        tx.scan(sql, &values, each).await?;
    }
    Ok(Some(row))
}

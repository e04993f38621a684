//! Bringing rows that were written behind up to date: what the journal and `transfer` have after them is added.
//!
//! Nothing is decided again: each row of `transfer` says what it did to both accounts. Limits, status and windows never lag, since
//! their rows are written at once when they change. That the result is what a replay gives is what `verify` proves.

use super::bulk::Head;
use super::history::Step;
use super::idempotency::{self, Kept};
use super::resident::{Mark, Resident};
use super::rows::{self, AccountRow};
use super::windows;
use crate::store::{Db, Error, Row, Tx, Value};
use const_format::concatcp;
use ledger_core::{AccountId, Amount, Key, LedgerId, Timestamp, Window, codec};

/// Rows of `transfer` read at a time.
const CHUNK: i64 = 8_192;
/// Journal records read at a time: each may have a megabyte.
const RECORDS: i64 = 16;

const STEPS: &str = "select t.position, t.seq, t.step, t.payer_id, t.payee_id, t.amount, t.payer_balance, t.payee_balance, b.step as begun_step
 from transfer t left join transfer b on b.ledger_id = t.ledger_id and b.position = t.settles
 where t.ledger_id = $1 and t.position > $2 and t.position <= $3";

/// What a row of `transfer` did.
struct Done {
    position: i64,
    seq: i64,
    step: Step,
    /// How the transfer began that this step belongs to.
    begun: Step,
    amount: i64,
    payer: (AccountId, Amount),
    payee: (AccountId, Amount),
}

/// Everything that the rows of accounts and keys do not have yet, read into memory.
pub(super) async fn recover(
    tx: &mut Tx,
    ledger: LedgerId,
    flushed: Mark,
    head: &Head,
    resident: &mut Resident,
) -> Result<(), Error> {
    let mut read = flushed.position;
    while read < head.last_position {
        let values = vec![ledger.0.into(), read.into(), head.last_position.into(), CHUNK.into()];
        let steps = tx.fetch_all(concatcp!(STEPS, " order by t.position limit $4"), values).await?;
        let steps: Vec<Done> = steps.iter().map(done).collect::<Result<_, _>>()?;
        read = steps.last().map(|step| step.position).ok_or_else(lost)?;
        let parties = || steps.iter().flat_map(|step| [step.payer.0, step.payee.0]);
        let mut missing: Vec<AccountId> = parties().filter(|id| resident.place(*id).is_none()).collect();
        missing.sort_unstable();
        missing.dedup();
        let rows = rows::load_accounts(tx, ledger, &missing).await?;
        resident.windows.admit(windows::load(tx, ledger, &rows).await?);
        for row in rows {
            resident.admit(row);
        }
        for step in &steps {
            for (account, balance) in [step.payer, step.payee] {
                let place = resident.place(account).ok_or_else(lost)?;
                if resident.at(place).chain.last_position() < step.position {
                    redo(resident.change(place), step, balance)?;
                }
            }
        }
    }
    keys(tx, ledger, flushed, head, resident).await
}

fn lost() -> Error {
    Error::Corrupt("the end of a ledger is not in its tables".into())
}

/// Adds a step to an account that does not have it yet.
fn redo(row: &mut AccountRow, step: &Done, balance: Amount) -> Result<(), Error> {
    let held = match (step.step, step.begun) {
        (Step::Hold, _) => step.amount,
        (Step::Captured | Step::Released | Step::Expired, Step::Hold) => -step.amount,
        _ => 0,
    };
    let account = &mut row.account;
    let side = if step.payer.0 == account.id { &mut account.held_out } else { &mut account.held_in };
    *side = Amount::new(side.minor() + held).filter(|held| *held >= Amount::ZERO).ok_or_else(lost)?;
    account.balance = balance;
    row.chain.push(step.position, step.step);
    row.as_of = step.seq;
    Ok(())
}

fn done(row: &Row) -> Result<Done, Error> {
    let step = rows::step(row.int("step")?)?;
    Ok(Done {
        position: row.int("position")?,
        seq: row.int("seq")?,
        step,
        begun: row.optional_int("begun_step")?.map_or(Ok(step), rows::step)?,
        amount: rows::amount(row, "amount")?.minor(),
        payer: (AccountId(row.id("payer_id")?), rows::amount(row, "payer_balance")?),
        payee: (AccountId(row.id("payee_id")?), rows::amount(row, "payee_balance")?),
    })
}

/// Keys of the records after `flushed` that have no row.
async fn keys(tx: &mut Tx, ledger: LedgerId, flushed: Mark, head: &Head, resident: &mut Resident) -> Result<(), Error> {
    let mut read = flushed.seq;
    while read < head.seq {
        let sql = "select seq, body from journal where ledger_id = $1 and seq > $2 order by seq limit $3";
        let records = tx.fetch_all(sql, vec![ledger.0.into(), read.into(), RECORDS.into()]).await?;
        read = records.last().ok_or_else(lost)?.int("seq")?;
        let mut came: Vec<Kept> = vec![];
        for record in &records {
            came.extend(kept(&record.bytes("body")?)?);
        }
        let names: Vec<Key> = came.iter().map(|kept| kept.key).collect();
        let stored = idempotency::load(tx, ledger, &names).await?;
        let stored: std::collections::HashSet<Key> = stored.iter().map(|kept| kept.key).collect();
        for kept in came {
            if !stored.contains(&kept.key) && resident.key(kept.key).is_none() {
                resident.keep(kept);
            }
        }
    }
    Ok(())
}

/// The keys that a record keeps, each for the first command that has it.
fn kept(body: &[u8]) -> Result<Vec<Kept>, Error> {
    let (at, entries): (Timestamp, _) =
        codec::decode_batch(body).map_err(|_| Error::Corrupt("a journal record is not in canonical form".into()))?;
    Ok(entries.iter().filter_map(|(item, verdict)| Kept::of(&item.command, verdict, at)).collect())
}

/// An account as the database has it, with what its row does not have yet, and its windows.
///
/// # Errors
/// When the database fails.
pub(super) async fn account(
    db: &Db,
    ledger: LedgerId,
    id: AccountId,
) -> Result<Option<(AccountRow, Vec<Window>)>, Error> {
    let mut tx = db.begin_read().await?;
    let mut rows = rows::load_accounts(&mut tx, ledger, &[id]).await?;
    let windows = windows::load(&mut tx, ledger, &rows).await?;
    let Some(mut row) = rows.pop() else { return Ok(None) };
    let marks = "select flushed_position, last_position from ledger where ledger_id = $1";
    let marks = tx.fetch_optional(marks, vec![ledger.0.into()]).await?.ok_or_else(lost)?;
    let (flushed, last) = (marks.int("flushed_position")?, marks.int("last_position")?);
    let from = flushed.max(row.chain.last_position());
    if from < last {
        let sql = concatcp!(STEPS, " and (t.payer_id = $4 or t.payee_id = $4) order by t.position");
        let values: Vec<Value> = vec![ledger.0.into(), from.into(), last.into(), id.0.into()];
        for step in tx.fetch_all(sql, values).await? {
            let step = done(&step)?;
            let balance = if step.payer.0 == id { step.payer.1 } else { step.payee.1 };
            redo(&mut row, &step, balance)?;
        }
    }
    Ok(Some((row, windows)))
}

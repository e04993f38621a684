//! What an account had at an instant, and what moved in between: read along its chain of rows (`chain.rs`).
//!
//! The time of a ledger never runs backwards, so the rows of an account's chain are in the order of time, and the last row before an
//! instant is found by its jumps: in at most 3·log₂(n) hops, which one statement makes inside of the database. A row has the balance after
//! it and how many movements there were, so that nothing is summed and no page is read to find another.

use super::chain::{Counter, Past, amount};
use crate::posting::Posting;
use crate::store::{Error, Row, Value};
use ledger_core::{AccountId, Amount, LedgerId, Timestamp, TransferId};

/// What moved on an account from one instant to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The balance before the first movement.
    pub opening: Amount,
    /// The balance after the last.
    pub closing: Amount,
    /// How many movements there are in all.
    pub total: i64,
    /// A page of them, the oldest first.
    pub movements: Vec<Movement>,
}

/// Money that came or went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Movement {
    /// When, in microseconds since the epoch.
    pub at: i64,
    /// The transfer that moved it.
    pub transfer: TransferId,
    /// From or to whom.
    pub counterparty: AccountId,
    /// Above zero for what came, below for what went.
    pub change: Amount,
    /// The balance after it.
    pub balance: Amount,
    /// What the transfer is for.
    pub description: String,
    /// The journal's record that has it.
    pub record: i64,
}

/// The period of a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period {
    /// The first instant of it.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

/// The balance that an account had at an instant, with everything of that instant; zero before its first transfer.
///
/// # Errors
/// When the database fails, or there is no such account.
pub async fn balance_at(
    posting: &Posting,
    ledger: LedgerId,
    account: AccountId,
    at: Timestamp,
) -> Result<Amount, Error> {
    let past = past(posting, ledger, account).await?;
    let after = Timestamp(at.0.saturating_add(1));
    let mut tx = posting.db().read().await?;
    let [stood, _] = past.stood_before(&mut tx, [after, after]).await?;
    Ok(stood.balance)
}

/// What moved on an account in a period, and at most `limit` of the movements, after the first `offset` of them.
///
/// # Errors
/// When the database fails, or there is no such account.
pub async fn statement(
    posting: &Posting,
    ledger: LedgerId,
    account: AccountId,
    period: Period,
    offset: i64,
    limit: i64,
) -> Result<Statement, Error> {
    let past = past(posting, ledger, account).await?;
    // After the account was seen, so that its history is all there; and rows of the past stay as they are.
    let mut tx = posting.db().read().await?;
    let [opening, closing] = past.stood_before(&mut tx, [period.from, period.to.max(period.from)]).await?;
    let total = closing.movements - opening.movements;
    let first = opening.movements + offset.clamp(0, total);
    let last = first + limit.clamp(0, closing.movements - first);
    let moved = Past { position: closing.position, ..past }.counted(&mut tx, Counter::Posted, last, first).await?;
    let positions: Vec<Value> = moved.iter().map(|found| found.position.into()).collect();
    let rows = tx.fetch_among_anew(MOVEMENTS, &[ledger.0.into(), account.0.into()], &positions, "").await?;
    let movements = rows.iter().map(|row| Ok((row.int("position")?, movement(row)?)));
    let mut movements = movements.collect::<Result<Vec<_>, Error>>()?;
    movements.sort_unstable_by_key(|(position, _)| *position);
    let movements = movements.into_iter().map(|(_, movement)| movement).collect();
    Ok(Statement { opening: opening.balance, closing: closing.balance, total, movements })
}

/// All of it.
async fn past(posting: &Posting, ledger: LedgerId, account: AccountId) -> Result<Past, Error> {
    let extent = posting.extent(ledger, account).await?;
    let extent = extent.ok_or_else(|| Error::Corrupt("an entity has no account".into()))?;
    Ok(Past { ledger, account, position: extent.last_position })
}

/// What rows say of the movements of the account $2; ends with the column of their positions.
const MOVEMENTS: &str = "select t.position, t.at, t.transfer_id, t.seq,
        case when t.payer_id = $2 then -t.moved else t.moved end as change,
        case when t.payer_id = $2 then t.payer_balance else t.payee_balance end as balance,
        case when t.payer_id = $2 then t.payee_id else t.payer_id end as counterparty,
        coalesce((select b.memo from transfer b where b.ledger_id = $1 and b.position = t.settles), t.memo) as description
 from transfer t where t.ledger_id = $1 and t.position";

fn movement(row: &Row) -> Result<Movement, Error> {
    Ok(Movement {
        at: row.int("at")?,
        transfer: TransferId(row.id("transfer_id")?),
        counterparty: AccountId(row.id("counterparty")?),
        change: amount(row, "change")?,
        balance: amount(row, "balance")?,
        description: row.text("description")?,
        record: row.int("seq")?,
    })
}

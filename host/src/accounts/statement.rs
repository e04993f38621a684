//! What an account had at an instant, and what moved in between: read along the chain of `posting/history.rs`.
//!
//! The time of a ledger never runs backwards, so the rows of an account's chain are in the order of time, and the last row before an
//! instant is found by its jumps: in at most 3·log₂(n) hops, which one statement makes inside of the database. A row has the balance after
//! it and how many movements there were, so that nothing is summed and no page is read to find another.

use crate::posting::{Extent, Posting};
use crate::store::{Error, Row, Tx, Value};
use const_format::formatcp;
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
    let last_position = extent(posting, ledger, account).await?.last_position;
    let after = Timestamp(at.0.saturating_add(1));
    let mut tx = posting.db().begin_read().await?;
    let [stood, _] = stood_before(&mut tx, (ledger, account), last_position, [after, after]).await?;
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
    let last_position = extent(posting, ledger, account).await?.last_position;
    // Begun after the account was seen, so that its history is all there.
    let mut tx = posting.db().begin_read().await?;
    let instants = [period.from, period.to.max(period.from)];
    let [opening, closing] = stood_before(&mut tx, (ledger, account), last_position, instants).await?;
    let total = closing.movements - opening.movements;
    let first = opening.movements + offset.clamp(0, total);
    let last = first + limit.clamp(0, closing.movements - first);
    let mut movements = vec![];
    if last > first {
        let values: [Value; 5] =
            [ledger.0.into(), account.0.into(), closing.position.into(), last.into(), first.into()];
        let rows = tx.fetch_all(MOVEMENTS, values.to_vec()).await?;
        movements = rows.iter().map(movement).collect::<Result<_, _>>()?;
    }
    Ok(Statement { opening: opening.balance, closing: closing.balance, total, movements })
}

async fn extent(posting: &Posting, ledger: LedgerId, account: AccountId) -> Result<Extent, Error> {
    let extent = posting.extent(ledger, account).await?;
    extent.ok_or_else(|| Error::Corrupt("an entity has no account".into()))
}

/// An account as a row of its history left it.
#[derive(Clone, Copy)]
struct Stood {
    position: i64,
    balance: Amount,
    /// How many movements there were so far.
    movements: i64,
}

/// From an account's newest row ($3) to the last row before each of two instants ($4, $5). At each row that is not before it: to where
/// the jump leads if that is not before it either, else to the row before. A cross join says to SQLite that rows are looked up from the
/// walk, and that it is not to go through all rows to look them up in the walk.
const BEFORE: &str = "with recursive walk(instant, position) as (
        select cast($4 as bigint), cast($3 as bigint) union all select cast($5 as bigint), cast($3 as bigint)
        union all
        select w.instant,
               case when j.at >= w.instant then j.position when t.payer_id = $2 then t.payer_prev else t.payee_prev end
        from walk w cross join transfer t
        left join transfer j on j.ledger_id = $1
             and j.position = case when t.payer_id = $2 then t.payer_jump else t.payee_jump end
        where t.ledger_id = $1 and t.position = w.position and t.at >= w.instant
     )
     select w.instant, t.position,
            case when t.payer_id = $2 then t.payer_balance else t.payee_balance end as balance,
            case when t.payer_id = $2 then t.payer_posted else t.payee_posted end as movements
     from walk w cross join transfer t
     where t.ledger_id = $1 and t.position = w.position and t.at < w.instant";

/// How an account stood before each of two instants.
async fn stood_before(
    tx: &mut Tx,
    (ledger, account): (LedgerId, AccountId),
    last_position: i64,
    instants: [Timestamp; 2],
) -> Result<[Stood; 2], Error> {
    let [from, to] = instants.map(|instant| instant.0.into());
    let rows = tx.fetch_all(BEFORE, vec![ledger.0.into(), account.0.into(), last_position.into(), from, to]).await?;
    let mut stood = [Stood { position: 0, balance: Amount::ZERO, movements: 0 }; 2];
    for row in &rows {
        let instant = row.int("instant")?;
        let (position, balance) = (row.int("position")?, amount(row, "balance")?);
        let found = Stood { position, balance, movements: row.int("movements")? };
        stood.iter_mut().zip(instants).filter(|(_, at)| at.0 == instant).for_each(|(stood, _)| *stood = found);
    }
    Ok(stood)
}

/// The movements of an account's chain whose numbers are at most $4 and above $5, from the row $3 back. At each row: to where the jump
/// leads if that is not before the one sought; else to the row before, and if this is the one sought, the one before is sought next.
const MOVEMENTS: &str = formatcp!(
    "with recursive walk(position, target, found) as (
        select cast($3 as bigint), cast($4 as bigint), cast(0 as bigint)
        union all
        select case when {JUMPED} >= w.target then j.position when t.payer_id = $2 then t.payer_prev else t.payee_prev end,
               case when {JUMPED} < w.target and {SOUGHT} then w.target - 1 else w.target end,
               case when {JUMPED} < w.target and {SOUGHT} then t.position else 0 end
        from walk w cross join transfer t
        left join transfer j on j.ledger_id = $1
             and j.position = case when t.payer_id = $2 then t.payer_jump else t.payee_jump end
        where t.ledger_id = $1 and t.position = w.position and w.target > $5
     )
     select t.at, t.transfer_id, case when t.payer_id = $2 then -t.moved else t.moved end as change,
            case when t.payer_id = $2 then t.payer_balance else t.payee_balance end as balance,
            case when t.payer_id = $2 then t.payee_id else t.payer_id end as counterparty,
            coalesce(b.memo, t.memo) as description
     from walk w cross join transfer t left join transfer b on b.ledger_id = $1 and b.position = t.settles
     where t.ledger_id = $1 and t.position = w.found
     order by w.found"
);

/// How many movements there were where the jump leads, 0 when it leads nowhere.
const JUMPED: &str = "coalesce(case when j.payer_id = $2 then j.payer_posted else j.payee_posted end, 0)";

/// Whether this row is the movement sought: the last one with its number is the one that moved.
const SOUGHT: &str =
    "(case when t.payer_id = $2 then t.payer_posted else t.payee_posted end = w.target and t.step in (1, 10, 12))";

fn movement(row: &Row) -> Result<Movement, Error> {
    Ok(Movement {
        at: row.int("at")?,
        transfer: TransferId(row.id("transfer_id")?),
        counterparty: AccountId(row.id("counterparty")?),
        change: amount(row, "change")?,
        balance: amount(row, "balance")?,
        description: row.text("description")?,
    })
}

fn amount(row: &Row, column: &str) -> Result<Amount, Error> {
    let minor = row.int(column)?;
    Amount::new(minor).ok_or_else(|| Error::Corrupt(format!("{minor} is no amount")))
}

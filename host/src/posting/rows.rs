//! Accounts and transfers as they are stored, and reading them. Writing them is in `bulk`, finding transfers by id in `find.rs`.

use super::history::{Chain, Link, Step, Totals};
use super::windows::Windows;
use crate::store::{Db, Error, Row, Scanned, Tx, Value};
use const_format::concatcp;
use ledger_core::{
    Account, AccountId, AccountStatus, Amount, LedgerId, Memo, Timestamp, Transfer, TransferId, TransferKind,
    TransferState,
};

/// An account and the head of its history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct AccountRow {
    pub(super) account: Account,
    pub(super) chain: Chain,
    pub(super) windows: Windows,
    /// Journal sequence that it is current to.
    pub(super) as_of: i64,
}

impl AccountRow {
    /// An account that has no row yet.
    pub(super) fn new(account: Account) -> AccountRow {
        AccountRow { account, chain: Chain::default(), windows: Windows::default(), as_of: 0 }
    }
}

/// A transfer and the position of the row that began it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TransferRow {
    pub(super) transfer: Transfer,
    pub(super) position: i64,
}

/// A row of `transfer` to be appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Appended {
    pub(super) position: i64,
    pub(super) step: Step,
    /// As it is after this step.
    pub(super) transfer: Transfer,
    pub(super) memo: String,
    /// Position of the row that began it, for a row that settles it.
    pub(super) settles: Option<i64>,
    /// Position of the row of the same batch that settles it.
    pub(super) settled_by: Option<i64>,
    /// Whether its id goes into the index.
    pub(super) indexed: bool,
    pub(super) payer: (Link, Amount),
    pub(super) payee: (Link, Amount),
}

/// What [`scanned_account`] reads; it is given the id.
pub(super) const ACCOUNT_COLUMNS: &str =
    "account_id, balance, held_out, held_in, floor, ceiling, status, windows, as_of,
        last_position, entries, begun, posted, ended, spine";

/// Ends with the column of their ids.
const ACCOUNTS: &str = concatcp!("select ", ACCOUNT_COLUMNS, " from account where ledger_id = $1 and account_id");

pub(super) async fn load_accounts(tx: &mut Tx, ledger: LedgerId, ids: &[AccountId]) -> Result<Vec<AccountRow>, Error> {
    let keys: Vec<Value> = ids.iter().map(|id| id.0.into()).collect();
    let rows = tx.fetch_among(ACCOUNTS, &[ledger.0.into()], &keys, "").await?;
    rows.iter().map(account_row).collect()
}

/// Those of these accounts that there are, as they are stored.
pub(super) async fn accounts(db: &Db, ledger: LedgerId, ids: &[AccountId]) -> Result<Vec<AccountRow>, Error> {
    // Mostly it is one.
    let rows = match ids {
        [] => vec![],
        [id] => db.fetch_all(concatcp!(ACCOUNTS, " = $2"), vec![ledger.0.into(), id.0.into()]).await?,
        ids => {
            let keys: Vec<Value> = ids.iter().map(|id| id.0.into()).collect();
            db.fetch_among(ACCOUNTS, &[ledger.0.into()], &keys, "").await?
        }
    };
    rows.iter().map(account_row).collect()
}

pub(super) fn account_row(row: &Row) -> Result<AccountRow, Error> {
    let totals = Totals { begun: row.int("begun")?, posted: row.int("posted")?, ended: row.int("ended")? };
    let id = AccountId(row.id("account_id")?);
    let windows = Windows::stored(id, &row.text("windows")?)?;
    Ok(AccountRow {
        account: Account {
            id,
            balance: amount(row, "balance")?,
            held_out: amount(row, "held_out")?,
            held_in: amount(row, "held_in")?,
            floor: amount(row, "floor")?,
            ceiling: amount(row, "ceiling")?,
            status: status(row.int("status")?)?,
            windowed: !windows.all().is_empty(),
        },
        chain: Chain::stored(row.int("entries")?, totals, &row.bytes("spine")?)
            .filter(|chain| row.int("last_position").is_ok_and(|position| position == chain.last_position()))
            .ok_or_else(|| Error::Corrupt("the numbers of an account's history do not fit each other".into()))?,
        windows,
        as_of: row.int("as_of")?,
    })
}

/// What follows the account's id in a row of [`ACCOUNT_COLUMNS`].
pub(super) fn scanned_account(id: AccountId, row: &mut Scanned<'_>) -> Result<AccountRow, Error> {
    let [balance, held_out, held_in, floor, ceiling, status_number] = row.ints()?;
    let windows = Windows::stored(id, row.text()?)?;
    let account = Account {
        id,
        balance: checked(balance)?,
        held_out: checked(held_out)?,
        held_in: checked(held_in)?,
        floor: checked(floor)?,
        ceiling: checked(ceiling)?,
        status: status(status_number)?,
        windowed: !windows.all().is_empty(),
    };
    let (as_of, last_position, entries) = (row.int()?, row.int()?, row.int()?);
    let totals = Totals { begun: row.int()?, posted: row.int()?, ended: row.int()? };
    let chain = Chain::stored(entries, totals, row.bytes()?)
        .filter(|chain| chain.last_position() == last_position)
        .ok_or_else(|| Error::Corrupt("the numbers of an account's history do not fit each other".into()))?;
    Ok(AccountRow { account, chain, windows, as_of })
}

impl Appended {
    /// Whether it began something that still waits after this batch.
    pub(super) fn is_pending(&self) -> bool {
        self.step.begins() && self.transfer.is_pending() && self.settled_by.is_none()
    }
}

/// What [`transfer_row`] reads, and where from.
pub(super) const TRANSFERS: &str =
    "select b.position, b.transfer_id, b.step, b.payer_id, b.payee_id, b.amount, b.moved, b.at, b.expires_at, b.memo,
        s.step as settled_step, s.moved as settled_moved
 from transfer b left join transfer s on s.ledger_id = b.ledger_id and s.position = b.settled_by
 where b.ledger_id = $1";

pub(super) fn transfer_row(row: &Row) -> Result<TransferRow, Error> {
    let begun = step(row.int("step")?)?;
    let kind = kind(begun)?;
    let (state, moved) = match row.optional_int("settled_step")? {
        None => (state_after(begun), row.int("moved")?),
        Some(number) => (state_after(step(number)?), row.int("settled_moved")?),
    };
    Ok(TransferRow {
        position: row.int("position")?,
        transfer: Transfer {
            id: TransferId(row.id("transfer_id")?),
            kind,
            payer: AccountId(row.id("payer_id")?),
            payee: AccountId(row.id("payee_id")?),
            amount: amount(row, "amount")?,
            moved: checked(moved)?,
            state,
            expires_at: row.optional_int("expires_at")?.map(Timestamp),
            created_at: Timestamp(row.int("at")?),
            memo: memo(row)?,
        },
    })
}

/// Of a transfer that began with this step.
pub(super) fn kind(begun: Step) -> Result<TransferKind, Error> {
    match begun {
        Step::Immediate => Ok(TransferKind::Immediate),
        Step::Hold => Ok(TransferKind::Hold),
        Step::Request => Ok(TransferKind::Request),
        _ => Err(Error::Corrupt("a transfer does not begin with its first row".into())),
    }
}

pub(super) const fn state_after(step: Step) -> TransferState {
    match step {
        Step::Hold => TransferState::Held,
        Step::Request => TransferState::Requested,
        Step::Immediate | Step::Captured | Step::Accepted => TransferState::Posted,
        Step::Released => TransferState::Released,
        Step::Declined => TransferState::Declined,
        Step::Withdrawn => TransferState::Withdrawn,
        Step::Expired => TransferState::Expired,
    }
}

fn memo(row: &Row) -> Result<Memo, Error> {
    Ok(super::memo_digest(&row.text("memo")?))
}

pub(super) fn step(number: i64) -> Result<Step, Error> {
    Step::from_number(number).ok_or_else(|| Error::Corrupt(format!("{number} is no step of a transfer")))
}

pub(super) fn amount(row: &Row, column: &str) -> Result<Amount, Error> {
    checked(row.int(column)?)
}

pub(super) fn checked(minor: i64) -> Result<Amount, Error> {
    Amount::new(minor).ok_or_else(|| Error::Corrupt(format!("{minor} is no amount")))
}

fn status(number: i64) -> Result<AccountStatus, Error> {
    match number {
        0 => Ok(AccountStatus::Open),
        1 => Ok(AccountStatus::Frozen),
        2 => Ok(AccountStatus::Closed),
        _ => Err(Error::Corrupt(format!("{number} is no status of an account"))),
    }
}

pub(super) const fn status_number(status: AccountStatus) -> i64 {
    match status {
        AccountStatus::Open => 0,
        AccountStatus::Frozen => 1,
        AccountStatus::Closed => 2,
    }
}

//! Accounts and transfers as they are stored: reading them for a batch, and the statements that write them. Decides nothing.

use super::history::{Chain, Link, Step, Totals};
use crate::store::{Db, Error, Row, Tx, Value};
use ledger_core::{
    Account, AccountId, AccountStatus, Amount, LedgerId, Memo, Timestamp, Transfer, TransferId, TransferKind,
    TransferState,
};

/// An account and the head of its history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct AccountRow {
    pub(super) account: Account,
    pub(super) chain: Chain,
    /// Journal sequence that it is current to.
    pub(super) as_of: i64,
}

impl AccountRow {
    /// An account that has no row yet.
    pub(super) fn new(account: Account) -> AccountRow {
        AccountRow { account, chain: Chain::default(), as_of: 0 }
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
    pub(super) payer: (Link, Amount),
    pub(super) payee: (Link, Amount),
}

pub(super) async fn load_accounts(tx: &mut Tx, ledger: LedgerId, ids: &[AccountId]) -> Result<Vec<AccountRow>, Error> {
    let keys: Vec<Value> = ids.iter().map(|id| id.0.into()).collect();
    let rows = tx
        .fetch_among(
            "select account_id, balance, held_out, held_in, floor, ceiling, status, as_of,
                    last_position, entries, begun, posted, ended, spine
             from account where ledger_id = $1 and account_id in ",
            &[ledger.0.into()],
            &keys,
            "",
        )
        .await?;
    rows.iter().map(account_row).collect()
}

/// An account as it is stored.
///
/// # Errors
/// When the database fails.
pub async fn account(db: &Db, ledger: LedgerId, id: AccountId) -> Result<Option<Account>, Error> {
    let sql = "select * from account where ledger_id = $1 and account_id = $2";
    let row = db.fetch_optional(sql, vec![ledger.0.into(), id.0.into()]).await?;
    row.map(|row| account_row(&row).map(|row| row.account)).transpose()
}

/// A transfer as it is stored.
///
/// # Errors
/// When the database fails.
pub async fn transfer(db: &Db, ledger: LedgerId, id: TransferId) -> Result<Option<Transfer>, Error> {
    let mut tx = db.begin_read().await?;
    Ok(load_transfers(&mut tx, ledger, &[id]).await?.pop().map(|row| row.transfer))
}

pub(super) fn account_row(row: &Row) -> Result<AccountRow, Error> {
    let totals = Totals { begun: row.int("begun")?, posted: row.int("posted")?, ended: row.int("ended")? };
    Ok(AccountRow {
        account: Account {
            id: AccountId(row.id("account_id")?),
            balance: amount(row, "balance")?,
            held_out: amount(row, "held_out")?,
            held_in: amount(row, "held_in")?,
            floor: amount(row, "floor")?,
            ceiling: amount(row, "ceiling")?,
            status: status(row.int("status")?)?,
        },
        chain: Chain::stored(row.int("entries")?, totals, &row.bytes("spine")?)
            .filter(|chain| row.int("last_position").is_ok_and(|position| position == chain.last_position()))
            .ok_or_else(|| Error::Corrupt("the numbers of an account's history do not fit each other".into()))?,
        as_of: row.int("as_of")?,
    })
}

/// Transfers by id, as they stand: the row that began each, and the one that settled it if there is one.
pub(super) async fn load_transfers(
    tx: &mut Tx,
    ledger: LedgerId,
    ids: &[TransferId],
) -> Result<Vec<TransferRow>, Error> {
    let keys: Vec<Value> = ids.iter().map(|id| id.0.into()).collect();
    let rows = tx
        .fetch_among(
            "select b.position, b.transfer_id, b.step, b.payer_id, b.payee_id, b.amount, b.moved, b.at, b.expires_at, b.memo,
                    s.step as settled_step, s.moved as settled_moved
             from transfer b left join transfer s on s.ledger_id = b.ledger_id and s.position = b.settled_by
             where b.ledger_id = $1 and b.settles is null and b.transfer_id in ",
            &[ledger.0.into()],
            &keys,
            "",
        )
        .await?;
    rows.iter().map(transfer_row).collect()
}

fn transfer_row(row: &Row) -> Result<TransferRow, Error> {
    let begun = step(row.int("step")?)?;
    let (kind, waiting) = match begun {
        Step::Immediate => (TransferKind::Immediate, TransferState::Posted),
        Step::Hold => (TransferKind::Hold, TransferState::Held),
        Step::Request => (TransferKind::Request, TransferState::Requested),
        _ => return Err(Error::Corrupt("a transfer does not begin with its first row".into())),
    };
    let (state, moved) = match row.optional_int("settled_step")? {
        None => (waiting, row.int("moved")?),
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

fn checked(minor: i64) -> Result<Amount, Error> {
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

const fn status_number(status: AccountStatus) -> i64 {
    match status {
        AccountStatus::Open => 0,
        AccountStatus::Frozen => 1,
        AccountStatus::Closed => 2,
    }
}

/// Writes accounts through, whether they have rows already or not.
pub(super) async fn store_accounts(tx: &mut Tx, ledger: LedgerId, seq: i64, rows: &[&AccountRow]) -> Result<(), Error> {
    let mut values = Vec::with_capacity(rows.len() * 15);
    for AccountRow { account, chain, .. } in rows {
        values.extend([ledger.0.into(), account.id.0.into()]);
        let amounts = [account.balance, account.held_out, account.held_in, account.floor, account.ceiling];
        values.extend(amounts.map(|amount| Value::from(amount.minor())));
        values.extend([status_number(account.status), seq, chain.last_position(), chain.entries].map(Value::from));
        values.extend([chain.totals.begun, chain.totals.posted, chain.totals.ended].map(Value::from));
        values.push(chain.spine_bytes().into());
    }
    tx.insert(
        "insert into account (ledger_id, account_id, balance, held_out, held_in, floor, ceiling, status, as_of,
                              last_position, entries, begun, posted, ended, spine) values",
        15,
        values,
        " on conflict (ledger_id, account_id) do update set
            balance = excluded.balance, held_out = excluded.held_out, held_in = excluded.held_in,
            floor = excluded.floor, ceiling = excluded.ceiling, status = excluded.status, as_of = excluded.as_of,
            last_position = excluded.last_position, entries = excluded.entries, begun = excluded.begun,
            posted = excluded.posted, ended = excluded.ended, spine = excluded.spine",
    )
    .await
}

/// Appends rows that come after `last_position`, and tells those that began a transfer where they were settled.
pub(super) async fn append_transfers(
    tx: &mut Tx,
    ledger: LedgerId,
    seq: i64,
    last_position: i64,
    now: Timestamp,
    rows: &[Appended],
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut values = Vec::with_capacity(rows.len() * 28);
    for row in rows {
        let transfer = &row.transfer;
        values.extend([ledger.0.into(), row.position.into(), seq.into(), transfer.id.0.into()]);
        values.extend([row.step.number().into(), transfer.payer.0.into(), transfer.payee.0.into()]);
        values.extend([transfer.amount, transfer.moved].map(|amount| Value::from(amount.minor())));
        values.extend([now.0.into(), transfer.expires_at.map(|at| at.0).into(), row.memo.as_str().into()]);
        values.extend([row.settles.into(), transfer.is_pending().into()]);
        for (link, balance) in [&row.payer, &row.payee] {
            values.extend([link.entry, link.prev, link.jump, balance.minor()].map(Value::from));
            values.extend([link.totals.begun, link.totals.posted, link.totals.ended].map(Value::from));
        }
    }
    tx.insert(
        "insert into transfer (ledger_id, position, seq, transfer_id, step, payer_id, payee_id, amount, moved, at, expires_at, memo,
                               settles, pending,
                               payer_entry, payer_prev, payer_jump, payer_balance, payer_begun, payer_posted, payer_ended,
                               payee_entry, payee_prev, payee_jump, payee_balance, payee_begun, payee_posted, payee_ended)
         values",
        28,
        values,
        "",
    )
    .await?;
    if rows.iter().any(|row| row.settles.is_some()) {
        tx.execute(
            "update transfer set settled_by = s.position, pending = false
             from (select settles, position from transfer where ledger_id = $1 and position > $2 and settles is not null) as s
             where transfer.ledger_id = $1 and transfer.position = s.settles",
            vec![ledger.0.into(), last_position.into()],
        )
        .await?;
    }
    Ok(())
}

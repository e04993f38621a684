//! The decisions: whether commands may happen, and what the accounts look like afterwards.
//!
//! Each decision is a run of guards in the order of [`Rejection`]'s codes, a line that says that nothing can fail from
//! there on, and the change. Storage, ids and time are the caller's.

use crate::{
    Account, AccountStatus, Action, Amount, Book, Command, Create, Item, OpenAccount, Rejection, SetLimits, SetStatus,
    Settle, Timestamp, Transfer, TransferKind, TransferState,
};
use alloc::vec::Vec;

/// The most items of one batch. A batch of this size is decided by the component in some 35 ms and its journal record stays under
/// one MiB: 8,190 items of at most 116 bytes.
pub const BATCH_MAX: usize = 8_190;

/// The answer to one command.
pub type Outcome = Result<Receipt, Rejection>;

/// What an accepted command did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receipt {
    /// The account as it is now.
    Account(Account),
    /// The transfer as it is now, and both balances.
    Transfer(TransferReceipt),
    /// The same command came before: the transfer that it began then, as it is now. Nothing changed.
    Repeated(Transfer),
}

/// A transfer after a command, and both balances after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransferReceipt {
    /// The transfer as it is now.
    pub transfer: Transfer,
    /// The payer's balance after the command.
    pub payer_balance: Amount,
    /// The payee's balance after the command.
    pub payee_balance: Amount,
}

/// An outcome without what a replay can compute again: what the journal keeps of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// An account command was accepted.
    Account,
    /// A transfer command was accepted, with these balances after it.
    Transfer {
        /// The payer's balance after the command.
        payer_balance: Amount,
        /// The payee's balance after the command.
        payee_balance: Amount,
    },
    /// The command came before.
    Repeated,
    /// The command was refused.
    Refused(Rejection),
}

impl Verdict {
    /// What the journal keeps of `outcome`.
    pub const fn of(outcome: &Outcome) -> Verdict {
        match outcome {
            Ok(Receipt::Account(_)) => Verdict::Account,
            Ok(Receipt::Transfer(TransferReceipt { payer_balance, payee_balance, .. })) => {
                Verdict::Transfer { payer_balance: *payer_balance, payee_balance: *payee_balance }
            }
            Ok(Receipt::Repeated(_)) => Verdict::Repeated,
            Err(rejection) => Verdict::Refused(*rejection),
        }
    }
}

/// Decides a batch in order and changes the book accordingly; each command sees what the ones before it did.
///
/// A run of linked items succeeds or fails as one: when a command in it is refused, the book is put back to where the
/// run began, that command answers with its own reason and the others with [`Rejection::LinkedFailed`].
///
/// The sum of all balances does not change.
///
/// # Panics
/// When the batch is longer than [`BATCH_MAX`], or the balances no longer sum to what they did: a broken ledger must
/// not be stored.
pub fn post(book: &mut Book, batch: &[Item], now: Timestamp) -> Vec<Outcome> {
    assert!(batch.len() <= BATCH_MAX, "a batch has at most {BATCH_MAX} items");
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut rest = batch;
    while !rest.is_empty() {
        let end = rest.iter().position(|item| !item.linked);
        let (group, tail) = rest.split_at(end.map_or(rest.len(), |last| last + 1));
        match (end, group) {
            (None, group) => outcomes.extend(group.iter().map(|_| Err(Rejection::LinkedOpen))),
            (Some(_), [item]) => outcomes.push(post_one(book, &item.command, now)),
            (Some(_), group) => post_group(book, group, now, &mut outcomes),
        }
        rest = tail;
    }
    assert!(book.drift() == 0, "the balances no longer sum to what they did");
    outcomes
}

/// Would `command` be accepted now? The answer [`post`] would give to a batch of one; the book does not change.
pub fn preview(book: &Book, command: Command, now: Timestamp) -> Outcome {
    decide(&mut book.clone(), &command, now)
}

fn post_one(book: &mut Book, command: &Command, now: Timestamp) -> Outcome {
    let outcome = decide(book, command, now);
    if let Err(rejection) = outcome {
        remember_refusal(book, command, rejection, now);
    }
    outcome
}

fn post_group(book: &mut Book, group: &[Item], now: Timestamp, outcomes: &mut Vec<Outcome>) {
    let start = outcomes.len();
    book.begin_group();
    for (place, item) in group.iter().enumerate() {
        match decide(book, &item.command, now) {
            Ok(receipt) => outcomes.push(Ok(receipt)),
            Err(rejection) => {
                book.roll_back();
                remember_refusal(book, &item.command, rejection, now);
                outcomes.truncate(start);
                outcomes.extend(group.iter().map(|_| Err(Rejection::LinkedFailed)));
                outcomes[start + place] = Err(rejection);
                return;
            }
        }
    }
    book.keep_group();
}

/// A client may retry an id it chose. If the refusal could turn out otherwise later, only this memory gives the first
/// answer again: a payment that the client was told is off must not happen because a retry was slow.
fn remember_refusal(book: &mut Book, command: &Command, rejection: Rejection, now: Timestamp) {
    if let Command::Create(create) = command
        && create.key.is_some()
        && rejection.retryable()
        && book.transfer(create.id).is_none()
    {
        book.set_transfer(Transfer::begun_by(create, TransferState::Refused(rejection), Amount::ZERO, now));
    }
}

fn decide(book: &mut Book, command: &Command, now: Timestamp) -> Outcome {
    match command {
        Command::OpenAccount(open) => open_account(book, open),
        Command::SetLimits(limits) => set_limits(book, limits),
        Command::SetStatus(status) => set_status(book, status),
        Command::Create(create) => self::create(book, create, now),
        Command::Settle(settle) => self::settle(book, settle, now),
    }
}

fn open_account(book: &mut Book, open: &OpenAccount) -> Outcome {
    let Err(index) = book.index(open.account) else { return Err(Rejection::AccountExists) };
    if open.floor > Amount::ZERO || open.ceiling < Amount::ZERO {
        return Err(Rejection::LimitsCrossed);
    }
    if open.status == AccountStatus::Closed {
        return Err(Rejection::AccountClosed);
    }
    // Nothing can fail from here on.
    let account = Account { status: open.status, ..Account::open(open.account, open.floor, open.ceiling) };
    book.open_account(index, account);
    Ok(Receipt::Account(account))
}

fn set_limits(book: &mut Book, limits: &SetLimits) -> Outcome {
    let found = book.index(limits.account);
    let now = found.map(|index| *book.at(index));
    let floor = limits.floor.or(now.ok().map(|account| account.floor));
    let ceiling = limits.ceiling.or(now.ok().map(|account| account.ceiling));
    if floor.zip(ceiling).is_some_and(|(floor, ceiling)| floor > ceiling) {
        return Err(Rejection::LimitsCrossed);
    }
    let (Ok(index), Ok(account), Some(floor), Some(ceiling)) = (found, now, floor, ceiling) else {
        return Err(Rejection::AccountNotFound);
    };
    if account.status == AccountStatus::Closed {
        return Err(Rejection::AccountClosed);
    }
    // Nothing can fail from here on.
    let account = Account { floor, ceiling, ..account };
    book.set_account(index, account);
    Ok(Receipt::Account(account))
}

fn set_status(book: &mut Book, status: &SetStatus) -> Outcome {
    let index = book.index(status.account).map_err(|_| Rejection::AccountNotFound)?;
    let account = book.at(index);
    if account.status == AccountStatus::Closed {
        return Err(Rejection::AccountClosed);
    }
    if status.status == AccountStatus::Closed {
        if account.balance != Amount::ZERO {
            return Err(Rejection::BalanceNotZero { balance: account.balance });
        }
        if account.held_out != Amount::ZERO || account.held_in != Amount::ZERO {
            return Err(Rejection::HoldsOutstanding);
        }
    }
    // Nothing can fail from here on.
    let account = Account { status: status.status, ..*account };
    book.set_account(index, account);
    Ok(Receipt::Account(account))
}

fn create(book: &mut Book, create: &Create, now: Timestamp) -> Outcome {
    if let Some(first) = book.transfer(create.id) {
        return repeat(first, create);
    }
    if !create.amount.is_positive() {
        return Err(Rejection::AmountOutOfRange);
    }
    if create.payer == create.payee {
        return Err(Rejection::SameAccount);
    }
    if create.expiry().is_some_and(|expires_at| expires_at <= now) {
        return Err(Rejection::ExpiryPassed);
    }
    let payer_index = book.index(create.payer).map_err(|_| Rejection::PayerNotFound)?;
    let payee_index = book.index(create.payee).map_err(|_| Rejection::PayeeNotFound)?;
    let (mut payer, mut payee) = (*book.at(payer_index), *book.at(payee_index));
    both_open(&payer, &payee)?;
    // A request reserves nothing, so nothing limits it before the payer accepts, unless it is wanted so.
    if create.kind != TransferKind::Request || create.payable_now {
        within(create.amount, payer.available(), payee.room())?;
    }
    // Nothing can fail from here on.
    let (state, moved) = match create.kind {
        TransferKind::Immediate => {
            payer.balance = lowered(payer.balance, create.amount);
            payee.balance = raised(payee.balance, create.amount);
            (TransferState::Posted, create.amount)
        }
        TransferKind::Hold => {
            payer.held_out = raised(payer.held_out, create.amount);
            payee.held_in = raised(payee.held_in, create.amount);
            (TransferState::Held, Amount::ZERO)
        }
        TransferKind::Request => (TransferState::Requested, Amount::ZERO),
    };
    let transfer = Transfer::begun_by(create, state, moved, now);
    Ok(record(book, (payer_index, payer), (payee_index, payee), transfer))
}

/// Same id and same content: the first answer again. Same id and other content: a refusal.
fn repeat(first: &Transfer, again: &Create) -> Outcome {
    let same = first.kind == again.kind
        && first.payer == again.payer
        && first.payee == again.payee
        && first.amount == again.amount
        && first.expires_at == again.expiry()
        && first.memo == again.memo;
    match (same, first.state) {
        (false, _) => Err(Rejection::IdReused),
        (true, TransferState::Refused(rejection)) => Err(rejection),
        (true, _) => Ok(Receipt::Repeated(*first)),
    }
}

fn settle(book: &mut Book, settle: &Settle, now: Timestamp) -> Outcome {
    if let Action::Capture(Some(part)) = settle.action
        && !part.is_positive()
    {
        return Err(Rejection::AmountOutOfRange);
    }
    let mut transfer = *book.transfer(settle.transfer).ok_or(Rejection::TransferNotFound)?;
    still_pending(&transfer, settle.action, now)?;
    let payer_index = book.index(transfer.payer).map_err(|_| Rejection::PayerNotFound)?;
    let payee_index = book.index(transfer.payee).map_err(|_| Rejection::PayeeNotFound)?;
    let (mut payer, mut payee) = (*book.at(payer_index), *book.at(payee_index));
    match settle.action {
        Action::Capture(part) => {
            transfer.moved = part.unwrap_or(transfer.amount);
            if transfer.moved > transfer.amount {
                return Err(Rejection::CaptureExceedsHold { held: transfer.amount });
            }
            both_open(&payer, &payee)?;
            // The hold made room for this; only a limit that an operator moved since can stand in the way.
            within(transfer.moved, payer.above_floor(), payee.below_ceiling())?;
        }
        Action::Accept => {
            transfer.moved = transfer.amount;
            both_open(&payer, &payee)?;
            within(transfer.moved, payer.available(), payee.room())?;
        }
        Action::Release | Action::Decline | Action::Withdraw | Action::Expire => {}
    }
    // Nothing can fail from here on.
    if transfer.kind == TransferKind::Hold {
        payer.held_out = lowered(payer.held_out, transfer.amount);
        payee.held_in = lowered(payee.held_in, transfer.amount);
    }
    payer.balance = lowered(payer.balance, transfer.moved);
    payee.balance = raised(payee.balance, transfer.moved);
    transfer.state = match settle.action {
        Action::Capture(_) | Action::Accept => TransferState::Posted,
        Action::Release => TransferState::Released,
        Action::Decline => TransferState::Declined,
        Action::Withdraw => TransferState::Withdrawn,
        Action::Expire => TransferState::Expired,
    };
    Ok(record(book, (payer_index, payer), (payee_index, payee), transfer))
}

/// The guards that need nothing but the transfer: the right kind of action, not settled yet, in time.
fn still_pending(transfer: &Transfer, action: Action, now: Timestamp) -> Result<(), Rejection> {
    if matches!(transfer.state, TransferState::Refused(_)) {
        return Err(Rejection::TransferNotFound);
    }
    match action {
        Action::Capture(_) | Action::Release if transfer.kind != TransferKind::Hold => {
            return Err(Rejection::NotAHold);
        }
        Action::Accept | Action::Decline | Action::Withdraw if transfer.kind != TransferKind::Request => {
            return Err(Rejection::NotARequest);
        }
        _ => {}
    }
    match transfer.state {
        TransferState::Held | TransferState::Requested => {}
        TransferState::Posted => return Err(Rejection::AlreadyPosted),
        TransferState::Released => return Err(Rejection::AlreadyReleased),
        TransferState::Declined => return Err(Rejection::AlreadyDeclined),
        TransferState::Withdrawn => return Err(Rejection::AlreadyWithdrawn),
        TransferState::Expired => return Err(Rejection::Expired),
        TransferState::Refused(_) => return Err(Rejection::TransferNotFound),
    }
    let late = transfer.expires_at.is_some_and(|expires_at| expires_at <= now);
    match action {
        Action::Capture(_) | Action::Accept if late => Err(Rejection::Expired),
        Action::Expire if !late => Err(Rejection::NotExpired),
        _ => Ok(()),
    }
}

fn both_open(payer: &Account, payee: &Account) -> Result<(), Rejection> {
    match (payer.status, payee.status) {
        (AccountStatus::Closed, _) => Err(Rejection::PayerClosed),
        (_, AccountStatus::Closed) => Err(Rejection::PayeeClosed),
        (AccountStatus::Frozen, _) => Err(Rejection::PayerFrozen),
        (_, AccountStatus::Frozen) => Err(Rejection::PayeeFrozen),
        (AccountStatus::Open, AccountStatus::Open) => Ok(()),
    }
}

fn within(amount: Amount, available: Amount, room: Amount) -> Result<(), Rejection> {
    if amount > available {
        return Err(Rejection::FloorExceeded { available });
    }
    if amount > room {
        return Err(Rejection::CeilingExceeded { room });
    }
    Ok(())
}

fn record(book: &mut Book, payer: (usize, Account), payee: (usize, Account), transfer: Transfer) -> Receipt {
    let (payer_balance, payee_balance) = (payer.1.balance, payee.1.balance);
    book.set_account(payer.0, payer.1);
    book.set_account(payee.0, payee.1);
    book.set_transfer(transfer);
    Receipt::Transfer(TransferReceipt { transfer, payer_balance, payee_balance })
}

/// A sum that the guards have proven to be in range.
fn raised(amount: Amount, by: Amount) -> Amount {
    amount.checked_add(by).expect("the guards keep balances and reservations in range")
}

/// A difference that the guards have proven to be in range.
fn lowered(amount: Amount, by: Amount) -> Amount {
    amount.checked_sub(by).expect("the guards keep balances and reservations in range")
}

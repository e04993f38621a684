//! What happens to a transfer: it begins, and what waits is settled.

use super::{Decision, Done, windows};
use crate::{
    Account, AccountStatus, Action, Amount, Book, Create, Rejection, Settle, Timestamp, Transfer, TransferKind,
    TransferState,
};

pub(super) fn create(book: &mut Book, create: &Create, now: Timestamp) -> Decision {
    let free = match book.find_transfer(create.id) {
        Ok(first) => return repeat(book, first, create),
        Err(free) => free,
    };
    if !create.amount.is_positive() {
        return Err(Rejection::AmountOutOfRange);
    }
    if create.payer == create.payee {
        return Err(Rejection::SameAccount);
    }
    if create.expiry().is_some_and(|expires_at| expires_at <= now) {
        return Err(Rejection::ExpiryPassed);
    }
    let payer = book.find(create.payer).map_err(|_| Rejection::PayerNotFound)?;
    let payee = book.find(create.payee).map_err(|_| Rejection::PayeeNotFound)?;
    both_open(book.at(payer), book.at(payee))?;
    let windowed = windows::there_are(book, payer, payee);
    // A request reserves nothing, so nothing limits it before the payer accepts, unless it is wanted so.
    if create.kind != TransferKind::Request || create.payable_now {
        within(create.amount, book.at(payer).available(), book.at(payee).room())?;
        if windowed {
            windows::allow(book, payer, payee, create.amount, now)?;
        }
    }
    // Nothing can fail from here on.
    match create.kind {
        TransferKind::Immediate => move_money(book, payer, payee, create.amount),
        TransferKind::Hold => {
            let payer = book.move_money(payer);
            payer.held_out = raised(payer.held_out, create.amount);
            let payee = book.move_money(payee);
            payee.held_in = raised(payee.held_in, create.amount);
        }
        TransferKind::Request => {}
    }
    let transfer = book.begin(free, Transfer::begun(create, now));
    if windowed {
        windows::count(book, payer, payee, transfer, now);
    }
    Ok(Done::Transfer { transfer, payer, payee })
}

/// Same id and same content: the first answer again. Same id and other content: a refusal.
fn repeat(book: &Book, place: usize, again: &Create) -> Decision {
    let first = book.transfer_at(place);
    let same = first.kind == again.kind
        && first.payer == again.payer
        && first.payee == again.payee
        && first.amount == again.amount
        && first.expires_at == again.expiry()
        && first.memo == again.memo;
    match (same, first.state) {
        (false, _) => Err(Rejection::IdReused),
        (true, TransferState::Refused(rejection)) => Err(rejection),
        (true, _) => Ok(Done::Repeated(place)),
    }
}

pub(super) fn settle(book: &mut Book, settle: &Settle, now: Timestamp) -> Decision {
    if let Action::Capture(Some(part)) = settle.action
        && !part.is_positive()
    {
        return Err(Rejection::AmountOutOfRange);
    }
    let place = book.find_transfer(settle.transfer).map_err(|_| Rejection::TransferNotFound)?;
    let before = book.transfer_at(place);
    still_pending(before, settle.action, now)?;
    let payer = book.find(before.payer).map_err(|_| Rejection::PayerNotFound)?;
    let payee = book.find(before.payee).map_err(|_| Rejection::PayeeNotFound)?;
    let (kind, held) = (before.kind, before.amount);
    let after = before.settled(settle.action);
    let windowed = windows::there_are(book, payer, payee);
    match settle.action {
        Action::Capture(_) => {
            if after.moved > held {
                return Err(Rejection::CaptureExceedsHold { held });
            }
            both_open(book.at(payer), book.at(payee))?;
            // The hold made room for this; only a limit that an operator moved since can stand in the way.
            within(after.moved, book.at(payer).above_floor(), book.at(payee).below_ceiling())?;
        }
        Action::Accept => {
            both_open(book.at(payer), book.at(payee))?;
            within(after.moved, book.at(payer).available(), book.at(payee).room())?;
            if windowed {
                windows::allow(book, payer, payee, after.moved, now)?;
            }
        }
        Action::Release | Action::Decline | Action::Withdraw | Action::Expire => {}
    }
    // Nothing can fail from here on.
    if kind == TransferKind::Hold {
        let payer = book.move_money(payer);
        payer.held_out = lowered(payer.held_out, held);
        let payee = book.move_money(payee);
        payee.held_in = lowered(payee.held_in, held);
    }
    if after.moved.is_positive() {
        move_money(book, payer, payee, after.moved);
    }
    *book.change_transfer(place) = after;
    if windowed {
        windows::count(book, payer, payee, place, now);
    }
    Ok(Done::Transfer { transfer: place, payer, payee })
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

/// Both accounts' balances, by an amount that the guards have let pass.
fn move_money(book: &mut Book, payer: usize, payee: usize, amount: Amount) {
    let payer = book.move_money(payer);
    payer.balance = lowered(payer.balance, amount);
    let payee = book.move_money(payee);
    payee.balance = raised(payee.balance, amount);
}

/// A sum that the guards have proven to be in range.
fn raised(amount: Amount, by: Amount) -> Amount {
    amount.checked_add(by).expect("the guards keep balances and reservations in range")
}

/// A difference that the guards have proven to be in range.
fn lowered(amount: Amount, by: Amount) -> Amount {
    amount.checked_sub(by).expect("the guards keep balances and reservations in range")
}

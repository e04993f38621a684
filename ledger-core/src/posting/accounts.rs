//! What happens to an account: opening, limits, status.

use super::{Decision, Done};
use crate::{Account, AccountStatus, Amount, Book, OpenAccount, Rejection, SetLimits, SetStatus};

pub(super) fn open(book: &mut Book, open: &OpenAccount) -> Decision {
    book.make_room_for_account();
    let Err(free) = book.find(open.account) else { return Err(Rejection::AccountExists) };
    if open.floor > Amount::ZERO || open.ceiling < Amount::ZERO {
        return Err(Rejection::LimitsCrossed);
    }
    if open.status == AccountStatus::Closed {
        return Err(Rejection::AccountClosed);
    }
    // Nothing can fail from here on.
    let account = Account { status: open.status, ..Account::open(open.account, open.floor, open.ceiling) };
    Ok(Done::Account(book.open_account(free, account)))
}

pub(super) fn set_limits(book: &mut Book, limits: &SetLimits) -> Decision {
    let found = book.find(limits.account).ok();
    let now = found.map(|place| *book.at(place));
    let floor = limits.floor.or(now.map(|account| account.floor));
    let ceiling = limits.ceiling.or(now.map(|account| account.ceiling));
    if floor.zip(ceiling).is_some_and(|(floor, ceiling)| floor > ceiling) {
        return Err(Rejection::LimitsCrossed);
    }
    let (Some(place), Some(account), Some(floor), Some(ceiling)) = (found, now, floor, ceiling) else {
        return Err(Rejection::AccountNotFound);
    };
    if account.status == AccountStatus::Closed {
        return Err(Rejection::AccountClosed);
    }
    // Nothing can fail from here on.
    let account = book.set_terms(place);
    (account.floor, account.ceiling) = (floor, ceiling);
    Ok(Done::Account(place))
}

pub(super) fn set_status(book: &mut Book, status: &SetStatus) -> Decision {
    let place = book.find(status.account).map_err(|_| Rejection::AccountNotFound)?;
    let account = book.at(place);
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
    book.set_terms(place).status = status.status;
    Ok(Done::Account(place))
}

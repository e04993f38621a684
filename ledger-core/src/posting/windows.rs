//! How much may pass in a period: setting it, looking whether it allows a movement, and counting.

use super::{Decision, Done};
use crate::{AccountStatus, Amount, Book, Direction, Rejection, SetWindow, Timestamp, Window};

#[inline(never)]
pub(super) fn set(book: &mut Book, set: &SetWindow, now: Timestamp) -> Decision {
    if set.max_amount.is_some_and(|max| max < Amount::ZERO) {
        return Err(Rejection::LimitsCrossed);
    }
    let place = book.find(set.account).map_err(|_| Rejection::AccountNotFound)?;
    if book.at(place).status == AccountStatus::Closed {
        return Err(Rejection::AccountClosed);
    }
    // Nothing can fail from here on.
    let window = Window::set(book.window(place, set.direction, set.period), set, now);
    book.set_window(place, window);
    Ok(Done::Account(place))
}

/// Whether any window is to be looked at. Most accounts have none, and no account of most books.
#[inline]
pub(super) fn there_are(book: &Book, payer: usize, payee: usize) -> bool {
    book.has_windows() && (book.at(payer).windowed || book.at(payee).windowed)
}

/// The guards: no running window of either account may be passed. Apart from the path of those that have none, as [`count`].
#[inline(never)]
pub(super) fn allow(book: &Book, payer: usize, payee: usize, amount: Amount, now: Timestamp) -> Result<(), Rejection> {
    let (available, may_pay) = left(book, payer, Direction::Out, now);
    if let Some(available) = available.filter(|available| amount > *available) {
        return Err(Rejection::PayerWindowAmountExceeded { available });
    }
    if !may_pay {
        return Err(Rejection::PayerWindowCountExceeded);
    }
    let (room, may_be_paid) = left(book, payee, Direction::In, now);
    if let Some(room) = room.filter(|room| amount > *room) {
        return Err(Rejection::PayeeWindowAmountExceeded { room });
    }
    if !may_be_paid {
        return Err(Rejection::PayeeWindowCountExceeded);
    }
    Ok(())
}

/// The most that all windows of one direction let pass, and whether they let anything pass once more.
fn left(book: &Book, place: usize, direction: Direction, now: Timestamp) -> (Option<Amount>, bool) {
    let amount = book.windows_of(place, direction).filter_map(|window| window.amount_left(now)).min();
    let once_more = book.windows_of(place, direction).all(|window| window.count_left(now) != Some(0));
    (amount, once_more)
}

/// Counts what took hold, and takes back what was given back, after a transfer has come to its state.
#[inline(never)]
pub(super) fn count(book: &mut Book, payer: usize, payee: usize, transfer: usize, now: Timestamp) {
    let transfer = *book.transfer_at(transfer);
    book.change_windows(payer, Direction::Out, |window| window.after(&transfer, now));
    book.change_windows(payee, Direction::In, |window| window.after(&transfer, now));
}

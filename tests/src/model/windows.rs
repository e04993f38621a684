//! What may pass in a period, computed from the list of what happened. With a calendar of its own that counts day by day.

use super::past::{Event, Past};
use ledger_core::{
    AccountId, Amount, Date, Direction, Period, Rejection, SetWindow, Timestamp, Transfer, TransferKind, TransferState,
    UtcOffset, Window,
};

const DAY: i64 = 86_400_000_000;
const MINUTE: i64 = 60_000_000;

/// What the windows of payer and payee have against letting `amount` pass.
pub(super) fn against(
    past: &Past,
    payer: AccountId,
    payee: AccountId,
    amount: Amount,
    now: Timestamp,
) -> Vec<Rejection> {
    let mut against = Vec::new();
    let (available, may_pay) = left(past, payer, Direction::Out, now);
    against.extend(
        available.filter(|left| amount > *left).map(|available| Rejection::PayerWindowAmountExceeded { available }),
    );
    against.extend((!may_pay).then_some(Rejection::PayerWindowCountExceeded));
    let (room, may_be_paid) = left(past, payee, Direction::In, now);
    against.extend(room.filter(|left| amount > *left).map(|room| Rejection::PayeeWindowAmountExceeded { room }));
    against.extend((!may_be_paid).then_some(Rejection::PayeeWindowCountExceeded));
    against
}

/// The least that any window leaves, and whether each lets one more pass.
fn left(past: &Past, account: AccountId, direction: Direction, now: Timestamp) -> (Option<Amount>, bool) {
    let (mut least, mut once_more) = (None, true);
    for mut window in of(past, account).filter(|window| window.direction == direction) {
        begin_again_if_over(&mut window, now);
        if let Some(max) = window.max_amount {
            let left = Amount::new((max.minor() - window.used_amount.minor()).max(0)).expect("in range");
            least = Some(least.map_or(left, |least: Amount| least.min(left)));
        }
        once_more &= window.max_count.is_none_or(|max| window.used_count < max);
    }
    (least, once_more)
}

/// Whether any window limits an account: one was set and not taken away again.
pub(super) fn any(past: &Past, account: AccountId) -> bool {
    let mut limits = Vec::new();
    for event in past.events() {
        if let Event::Windowed { set, .. } = event
            && set.account == account
        {
            limits.retain(|limit| *limit != (set.direction, set.period));
            if set.max_amount.is_some() || set.max_count.is_some() {
                limits.push((set.direction, set.period));
            }
        }
    }
    !limits.is_empty()
}

/// The windows that limit an account, in the order of directions and periods, each as the last movement left it.
pub(super) fn of(past: &Past, account: AccountId) -> impl Iterator<Item = Window> {
    let directions = [Direction::Out, Direction::In];
    let keys = directions.into_iter().flat_map(|direction| {
        [Period::Day, Period::Week, Period::Month].into_iter().map(move |period| (direction, period))
    });
    keys.filter_map(move |(direction, period)| window(past, account, direction, period))
}

/// One window, from the start: set, counted in, given back to.
fn window(past: &Past, account: AccountId, direction: Direction, period: Period) -> Option<Window> {
    let mut window: Option<Window> = None;
    let mut began: Vec<Transfer> = Vec::new();
    for event in past.events() {
        match event {
            Event::Windowed { set, at } if (set.account, set.direction, set.period) == (account, direction, period) => {
                window = if set.max_amount.is_none() && set.max_count.is_none() {
                    None
                } else {
                    Some(set_again(window, set, *at))
                };
            }
            Event::Began(transfer) => {
                if party(transfer, direction) == account
                    && matches!(transfer.state, TransferState::Posted | TransferState::Held)
                    && let Some(window) = &mut window
                {
                    begin_again_if_over(window, transfer.created_at);
                    use_more(window, transfer.amount);
                }
                began.push(*transfer);
            }
            Event::Settled { transfer, state, moved, at } => {
                let transfer = began.iter().find(|known| known.id == *transfer).expect("only what began is settled");
                if party(transfer, direction) == account
                    && let Some(window) = &mut window
                {
                    settle(window, transfer, *state, *moved, *at);
                }
            }
            _ => {}
        }
    }
    window
}

fn party(transfer: &Transfer, direction: Direction) -> AccountId {
    if direction == Direction::Out { transfer.payer } else { transfer.payee }
}

fn set_again(before: Option<Window>, set: &SetWindow, at: Timestamp) -> Window {
    let mut window = Window {
        account: set.account,
        direction: set.direction,
        period: set.period,
        max_amount: set.max_amount,
        max_count: set.max_count,
        used_amount: Amount::ZERO,
        used_count: 0,
        began: first_day(set.period, at, set.offset),
        since: at,
        offset: set.offset,
    };
    if let Some(mut before) = before {
        begin_again_if_over(&mut before, at);
        (window.used_amount, window.used_count) = (before.used_amount, before.used_count);
        if before.offset == set.offset {
            (window.began, window.since) = (before.began, before.since);
        }
    }
    window
}

fn begin_again_if_over(window: &mut Window, at: Timestamp) {
    let first = first_day(window.period, at, window.offset);
    if first > window.began {
        (window.began, window.used_amount, window.used_count) = (first, Amount::ZERO, 0);
    }
}

fn use_more(window: &mut Window, amount: Amount) {
    let used = window.used_amount.minor() + amount.minor();
    window.used_amount = Amount::new(used.min(Amount::MAX.minor())).expect("in range");
    window.used_count += 1;
}

fn settle(window: &mut Window, transfer: &Transfer, state: TransferState, moved: Amount, at: Timestamp) {
    let (given_back, count) = match (transfer.kind, state) {
        (TransferKind::Request, TransferState::Posted) => {
            begin_again_if_over(window, at);
            return use_more(window, transfer.amount);
        }
        (TransferKind::Hold, TransferState::Posted) => (transfer.amount.minor() - moved.minor(), 0),
        (TransferKind::Hold, _) => (transfer.amount.minor(), 1),
        _ => return,
    };
    let running = first_day(window.period, at, window.offset).max(window.began);
    let counted_in = first_day(window.period, transfer.created_at, window.offset);
    if transfer.created_at > window.since && counted_in == running {
        begin_again_if_over(window, at);
        let used = window.used_amount.minor() - given_back;
        window.used_amount = Amount::new(used.max(0)).expect("in range");
        window.used_count = window.used_count.saturating_sub(count);
    }
}

/// Day by day from 1 December 1969, which was a Monday.
fn first_day(period: Period, at: Timestamp, offset: UtcOffset) -> Date {
    let today = (at.0 + i64::from(offset.minutes()) * MINUTE).div_euclid(DAY);
    let (mut date, mut monday, mut first_of_month) = (-31, -31, -31);
    let (mut year, mut month, mut day) = (1969, 12, 1);
    while date < today {
        date += 1;
        day += 1;
        let february = if year % 4 == 0 { 29 } else { 28 };
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        if day > lengths[month - 1] {
            (month, day, first_of_month) = (month + 1, 1, date);
        }
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
        if date == monday + 7 {
            monday = date;
        }
    }
    let first = match period {
        Period::Day => date,
        Period::Week => monday,
        Period::Month => first_of_month,
    };
    Date(i32::try_from(first).expect("histories are short"))
}

//! Between WIT's words and the core's, both ways. No rule is here; what is out of range is told, not mended.

use crate::guest::exports::hesabu::ledger::posting::{Book as WitBook, Malformed};
use crate::guest::exports::hesabu::ledger::types as wit;
use alloc::vec::Vec;
use ledger_core::{
    Account, AccountId, AccountStatus, Action, Amount, Book, BookError, Command, Create, Date, Direction, Item, Key,
    Memo, OpenAccount, Outcome, Period, Receipt, Rejection, SetLimits, SetStatus, SetWindow, Settle, Timestamp,
    Transfer, TransferId, TransferKind, TransferState, UtcOffset, Window,
};

pub(crate) fn book(book: &WitBook) -> Result<Book, Malformed> {
    let mut accounts = Vec::with_capacity(book.accounts.len());
    for (place, account) in (0..).zip(&book.accounts) {
        accounts.push(account_in(account).ok_or(Malformed::Account(place))?);
    }
    let mut transfers = Vec::with_capacity(book.transfers.len());
    for (place, transfer) in (0..).zip(&book.transfers) {
        transfers.push(transfer_in(transfer).ok_or(Malformed::Transfer(place))?);
    }
    let mut windows = Vec::with_capacity(book.windows.len());
    for (place, window) in (0..).zip(&book.windows) {
        windows.push(window_in(window).ok_or(Malformed::Window(place))?);
    }
    Book::load(&accounts, &windows, &transfers).map_err(|error| match error {
        BookError::AccountTwice(id) | BookError::WindowMissing(id) => {
            Malformed::Account(last_place(&accounts, |account| account.id == id))
        }
        BookError::Window(account, direction, period) => Malformed::Window(last_place(&windows, |window| {
            (window.account, window.direction, window.period) == (account, direction, period)
        })),
        BookError::TransferTwice(id) => Malformed::Transfer(last_place(&transfers, |transfer| transfer.id == id)),
    })
}

/// Of what is there twice, the place of the later.
fn last_place<T>(all: &[T], is: impl Fn(&T) -> bool) -> u32 {
    (0..).zip(all).filter(|(_, one)| is(one)).map(|(place, _)| place).last().unwrap_or(0)
}

pub(crate) fn batch(batch: &[wit::Item]) -> Result<Vec<Item>, Malformed> {
    let mut items = Vec::with_capacity(batch.len());
    for (place, item) in (0..).zip(batch) {
        let command = command(&item.command).ok_or(Malformed::Item(place))?;
        items.push(Item { command, linked: item.linked });
    }
    Ok(items)
}

/// `None` when a limit is out of range.
pub(crate) fn command(command: &wit::Command) -> Option<Command> {
    Some(match command {
        wit::Command::OpenAccount(open) => Command::OpenAccount(OpenAccount {
            account: AccountId(id_in(open.account)),
            floor: Amount::new(open.floor)?,
            ceiling: Amount::new(open.ceiling)?,
            status: status_in(open.status),
        }),
        wit::Command::SetLimits(limits) => Command::SetLimits(SetLimits {
            account: AccountId(id_in(limits.account)),
            floor: optional(limits.floor)?,
            ceiling: optional(limits.ceiling)?,
        }),
        wit::Command::SetStatus(status) => Command::SetStatus(SetStatus {
            account: AccountId(id_in(status.account)),
            status: status_in(status.status),
        }),
        wit::Command::Create(create) => Command::Create(Create {
            id: TransferId(id_in(create.id)),
            kind: kind_in(create.kind),
            payer: AccountId(id_in(create.payer)),
            payee: AccountId(id_in(create.payee)),
            amount: proposed(create.amount),
            expires_at: create.expires_at.map(Timestamp),
            key: create.key.map(|key| Key(id_in(key))),
            payable_now: create.payable_now,
            memo: Memo(id_in(create.memo)),
        }),
        wit::Command::Settle(settle) => Command::Settle(Settle {
            transfer: TransferId(id_in(settle.transfer)),
            action: match settle.action {
                wit::Action::Capture(part) => Action::Capture(part.map(proposed)),
                wit::Action::Release => Action::Release,
                wit::Action::Accept => Action::Accept,
                wit::Action::Decline => Action::Decline,
                wit::Action::Withdraw => Action::Withdraw,
                wit::Action::Expire => Action::Expire,
            },
            memo: Memo(id_in(settle.memo)),
        }),
        wit::Command::SetWindow(set) => Command::SetWindow(SetWindow {
            account: AccountId(id_in(set.account)),
            direction: direction_in(set.direction),
            period: period_in(set.period),
            max_amount: optional(set.max_amount)?,
            max_count: set.max_count,
            offset: UtcOffset::new(set.utc_offset)?,
        }),
    })
}

/// What is too large to be an amount is refused like what is too small: by its own rejection, not by the whole batch.
fn proposed(minor: i64) -> Amount {
    Amount::new(minor).unwrap_or(Amount::ZERO)
}

/// A limit that may be absent; `None` when it is there and out of range.
fn optional(minor: Option<i64>) -> Option<Option<Amount>> {
    match minor {
        None => Some(None),
        Some(minor) => Amount::new(minor).map(Some),
    }
}

fn id_in(id: wit::Id) -> u128 {
    u128::from(id.high) << 64 | u128::from(id.low)
}

fn status_in(status: wit::AccountStatus) -> AccountStatus {
    match status {
        wit::AccountStatus::Open => AccountStatus::Open,
        wit::AccountStatus::Frozen => AccountStatus::Frozen,
        wit::AccountStatus::Closed => AccountStatus::Closed,
    }
}

fn direction_in(direction: wit::Direction) -> Direction {
    match direction {
        wit::Direction::Out => Direction::Out,
        wit::Direction::In => Direction::In,
    }
}

fn period_in(period: wit::Period) -> Period {
    match period {
        wit::Period::Day => Period::Day,
        wit::Period::Week => Period::Week,
        wit::Period::Month => Period::Month,
    }
}

fn kind_in(kind: wit::TransferKind) -> TransferKind {
    match kind {
        wit::TransferKind::Immediate => TransferKind::Immediate,
        wit::TransferKind::Hold => TransferKind::Hold,
        wit::TransferKind::Request => TransferKind::Request,
    }
}

/// `None` when an amount is out of range or a reservation is negative.
fn account_in(account: &wit::Account) -> Option<Account> {
    let account = Account {
        id: AccountId(id_in(account.id)),
        balance: Amount::new(account.balance)?,
        held_out: Amount::new(account.held_out)?,
        held_in: Amount::new(account.held_in)?,
        floor: Amount::new(account.floor)?,
        ceiling: Amount::new(account.ceiling)?,
        status: status_in(account.status),
        windowed: account.windowed,
    };
    (account.held_out >= Amount::ZERO && account.held_in >= Amount::ZERO).then_some(account)
}

/// `None` when an amount or the offset is out of range.
fn window_in(window: &wit::Window) -> Option<Window> {
    let not_negative = |amount: &Amount| *amount >= Amount::ZERO;
    Some(Window {
        account: AccountId(id_in(window.account)),
        direction: direction_in(window.direction),
        period: period_in(window.period),
        max_amount: optional(window.max_amount).filter(|max| max.as_ref().is_none_or(not_negative))?,
        max_count: window.max_count,
        used_amount: Amount::new(window.used_amount).filter(not_negative)?,
        used_count: window.used_count,
        began: Date(window.began),
        since: Timestamp(window.since),
        offset: UtcOffset::new(window.utc_offset)?,
    })
}

/// `None` when an amount is out of range.
fn transfer_in(transfer: &wit::Transfer) -> Option<Transfer> {
    Some(Transfer {
        id: TransferId(id_in(transfer.id)),
        kind: kind_in(transfer.kind),
        payer: AccountId(id_in(transfer.payer)),
        payee: AccountId(id_in(transfer.payee)),
        amount: Amount::new(transfer.amount).filter(|amount| amount.is_positive())?,
        moved: Amount::new(transfer.moved)?,
        state: match transfer.state {
            wit::TransferState::Held => TransferState::Held,
            wit::TransferState::Requested => TransferState::Requested,
            wit::TransferState::Posted => TransferState::Posted,
            wit::TransferState::Released => TransferState::Released,
            wit::TransferState::Declined => TransferState::Declined,
            wit::TransferState::Withdrawn => TransferState::Withdrawn,
            wit::TransferState::Expired => TransferState::Expired,
            wit::TransferState::Refused(rejection) => TransferState::Refused(rejection_in(rejection)?),
        },
        expires_at: transfer.expires_at.map(Timestamp),
        created_at: Timestamp(transfer.created_at),
        memo: Memo(id_in(transfer.memo)),
    })
}

fn rejection_in(rejection: wit::Rejection) -> Option<Rejection> {
    Some(match rejection {
        wit::Rejection::LinkedFailed => Rejection::LinkedFailed,
        wit::Rejection::LinkedOpen => Rejection::LinkedOpen,
        wit::Rejection::IdReused => Rejection::IdReused,
        wit::Rejection::AccountExists => Rejection::AccountExists,
        wit::Rejection::AmountOutOfRange => Rejection::AmountOutOfRange,
        wit::Rejection::SameAccount => Rejection::SameAccount,
        wit::Rejection::ExpiryPassed => Rejection::ExpiryPassed,
        wit::Rejection::LimitsCrossed => Rejection::LimitsCrossed,
        wit::Rejection::AccountNotFound => Rejection::AccountNotFound,
        wit::Rejection::PayerNotFound => Rejection::PayerNotFound,
        wit::Rejection::PayeeNotFound => Rejection::PayeeNotFound,
        wit::Rejection::TransferNotFound => Rejection::TransferNotFound,
        wit::Rejection::NotAHold => Rejection::NotAHold,
        wit::Rejection::NotARequest => Rejection::NotARequest,
        wit::Rejection::AlreadyPosted => Rejection::AlreadyPosted,
        wit::Rejection::AlreadyReleased => Rejection::AlreadyReleased,
        wit::Rejection::AlreadyDeclined => Rejection::AlreadyDeclined,
        wit::Rejection::AlreadyWithdrawn => Rejection::AlreadyWithdrawn,
        wit::Rejection::Expired => Rejection::Expired,
        wit::Rejection::NotExpired => Rejection::NotExpired,
        wit::Rejection::CaptureExceedsHold(held) => Rejection::CaptureExceedsHold { held: Amount::new(held)? },
        wit::Rejection::AccountClosed => Rejection::AccountClosed,
        wit::Rejection::PayerClosed => Rejection::PayerClosed,
        wit::Rejection::PayeeClosed => Rejection::PayeeClosed,
        wit::Rejection::PayerFrozen => Rejection::PayerFrozen,
        wit::Rejection::PayeeFrozen => Rejection::PayeeFrozen,
        wit::Rejection::BalanceNotZero(balance) => Rejection::BalanceNotZero { balance: Amount::new(balance)? },
        wit::Rejection::HoldsOutstanding => Rejection::HoldsOutstanding,
        wit::Rejection::FloorExceeded(available) => Rejection::FloorExceeded { available: Amount::new(available)? },
        wit::Rejection::CeilingExceeded(room) => Rejection::CeilingExceeded { room: Amount::new(room)? },
        wit::Rejection::PayerWindowAmountExceeded(available) => {
            Rejection::PayerWindowAmountExceeded { available: Amount::new(available)? }
        }
        wit::Rejection::PayerWindowCountExceeded => Rejection::PayerWindowCountExceeded,
        wit::Rejection::PayeeWindowAmountExceeded(room) => {
            Rejection::PayeeWindowAmountExceeded { room: Amount::new(room)? }
        }
        wit::Rejection::PayeeWindowCountExceeded => Rejection::PayeeWindowCountExceeded,
    })
}

pub(crate) fn outcome(outcome: Outcome) -> wit::Outcome {
    match outcome {
        Ok(Receipt::Account(account)) => Ok(wit::Receipt::Account(self::account(account))),
        Ok(Receipt::Transfer(receipt)) => Ok(wit::Receipt::Transfer(wit::TransferReceipt {
            transfer: transfer(receipt.transfer),
            payer_balance: receipt.payer_balance.minor(),
            payee_balance: receipt.payee_balance.minor(),
        })),
        Ok(Receipt::Repeated(first)) => Ok(wit::Receipt::Repeated(transfer(first))),
        Err(rejection) => Err(self::rejection(rejection)),
    }
}

fn id(id: u128) -> wit::Id {
    let bytes = id.to_be_bytes();
    let half = |start: usize| {
        let mut half = [0; 8];
        half.copy_from_slice(&bytes[start..start + 8]);
        u64::from_be_bytes(half)
    };
    wit::Id { high: half(0), low: half(8) }
}

pub(crate) fn account(account: Account) -> wit::Account {
    wit::Account {
        id: id(account.id.0),
        balance: account.balance.minor(),
        held_out: account.held_out.minor(),
        held_in: account.held_in.minor(),
        floor: account.floor.minor(),
        ceiling: account.ceiling.minor(),
        status: match account.status {
            AccountStatus::Open => wit::AccountStatus::Open,
            AccountStatus::Frozen => wit::AccountStatus::Frozen,
            AccountStatus::Closed => wit::AccountStatus::Closed,
        },
        windowed: account.windowed,
    }
}

pub(crate) fn window(window: Window) -> wit::Window {
    wit::Window {
        account: id(window.account.0),
        direction: match window.direction {
            Direction::Out => wit::Direction::Out,
            Direction::In => wit::Direction::In,
        },
        period: match window.period {
            Period::Day => wit::Period::Day,
            Period::Week => wit::Period::Week,
            Period::Month => wit::Period::Month,
        },
        max_amount: window.max_amount.map(Amount::minor),
        max_count: window.max_count,
        used_amount: window.used_amount.minor(),
        used_count: window.used_count,
        began: window.began.0,
        since: window.since.0,
        utc_offset: window.offset.minutes(),
    }
}

fn transfer(transfer: Transfer) -> wit::Transfer {
    wit::Transfer {
        id: id(transfer.id.0),
        kind: match transfer.kind {
            TransferKind::Immediate => wit::TransferKind::Immediate,
            TransferKind::Hold => wit::TransferKind::Hold,
            TransferKind::Request => wit::TransferKind::Request,
        },
        payer: id(transfer.payer.0),
        payee: id(transfer.payee.0),
        amount: transfer.amount.minor(),
        moved: transfer.moved.minor(),
        state: match transfer.state {
            TransferState::Held => wit::TransferState::Held,
            TransferState::Requested => wit::TransferState::Requested,
            TransferState::Posted => wit::TransferState::Posted,
            TransferState::Released => wit::TransferState::Released,
            TransferState::Declined => wit::TransferState::Declined,
            TransferState::Withdrawn => wit::TransferState::Withdrawn,
            TransferState::Expired => wit::TransferState::Expired,
            TransferState::Refused(reason) => wit::TransferState::Refused(rejection(reason)),
        },
        expires_at: transfer.expires_at.map(|at| at.0),
        created_at: transfer.created_at.0,
        memo: id(transfer.memo.0),
    }
}

fn rejection(rejection: Rejection) -> wit::Rejection {
    match rejection {
        Rejection::LinkedFailed => wit::Rejection::LinkedFailed,
        Rejection::LinkedOpen => wit::Rejection::LinkedOpen,
        Rejection::IdReused => wit::Rejection::IdReused,
        Rejection::AccountExists => wit::Rejection::AccountExists,
        Rejection::AmountOutOfRange => wit::Rejection::AmountOutOfRange,
        Rejection::SameAccount => wit::Rejection::SameAccount,
        Rejection::ExpiryPassed => wit::Rejection::ExpiryPassed,
        Rejection::LimitsCrossed => wit::Rejection::LimitsCrossed,
        Rejection::AccountNotFound => wit::Rejection::AccountNotFound,
        Rejection::PayerNotFound => wit::Rejection::PayerNotFound,
        Rejection::PayeeNotFound => wit::Rejection::PayeeNotFound,
        Rejection::TransferNotFound => wit::Rejection::TransferNotFound,
        Rejection::NotAHold => wit::Rejection::NotAHold,
        Rejection::NotARequest => wit::Rejection::NotARequest,
        Rejection::AlreadyPosted => wit::Rejection::AlreadyPosted,
        Rejection::AlreadyReleased => wit::Rejection::AlreadyReleased,
        Rejection::AlreadyDeclined => wit::Rejection::AlreadyDeclined,
        Rejection::AlreadyWithdrawn => wit::Rejection::AlreadyWithdrawn,
        Rejection::Expired => wit::Rejection::Expired,
        Rejection::NotExpired => wit::Rejection::NotExpired,
        Rejection::CaptureExceedsHold { held } => wit::Rejection::CaptureExceedsHold(held.minor()),
        Rejection::AccountClosed => wit::Rejection::AccountClosed,
        Rejection::PayerClosed => wit::Rejection::PayerClosed,
        Rejection::PayeeClosed => wit::Rejection::PayeeClosed,
        Rejection::PayerFrozen => wit::Rejection::PayerFrozen,
        Rejection::PayeeFrozen => wit::Rejection::PayeeFrozen,
        Rejection::BalanceNotZero { balance } => wit::Rejection::BalanceNotZero(balance.minor()),
        Rejection::HoldsOutstanding => wit::Rejection::HoldsOutstanding,
        Rejection::FloorExceeded { available } => wit::Rejection::FloorExceeded(available.minor()),
        Rejection::CeilingExceeded { room } => wit::Rejection::CeilingExceeded(room.minor()),
        Rejection::PayerWindowAmountExceeded { available } => {
            wit::Rejection::PayerWindowAmountExceeded(available.minor())
        }
        Rejection::PayerWindowCountExceeded => wit::Rejection::PayerWindowCountExceeded,
        Rejection::PayeeWindowAmountExceeded { room } => wit::Rejection::PayeeWindowAmountExceeded(room.minor()),
        Rejection::PayeeWindowCountExceeded => wit::Rejection::PayeeWindowCountExceeded,
    }
}

//! Between the component's words and the core's, both ways. What comes out of the sandbox is checked for its range.

use super::generated::exports::hesabu::ledger::posting::Book as WitBook;
use super::generated::exports::hesabu::ledger::types as wit;
use hesabu::engine::Book;
use ledger_core::{
    Account, AccountId, AccountStatus, Action, Amount, Command, Date, Direction, Item, Memo, Outcome, Period, Receipt,
    Rejection, Timestamp, Transfer, TransferId, TransferKind, TransferReceipt, TransferState, UtcOffset, Window,
};

pub(super) fn book(book: &Book) -> WitBook {
    WitBook {
        accounts: book.accounts.iter().copied().map(account).collect(),
        windows: book.windows.iter().copied().map(window).collect(),
        transfers: book.transfers.iter().copied().map(transfer).collect(),
    }
}

pub(super) fn item(item: &Item) -> wit::Item {
    wit::Item { command: command(item.command), linked: item.linked }
}

pub(super) fn command(command: Command) -> wit::Command {
    match command {
        Command::OpenAccount(open) => wit::Command::OpenAccount(wit::OpenAccount {
            account: id(open.account.0),
            floor: open.floor.minor(),
            ceiling: open.ceiling.minor(),
            status: status(open.status),
        }),
        Command::SetLimits(limits) => wit::Command::SetLimits(wit::SetLimits {
            account: id(limits.account.0),
            floor: limits.floor.map(Amount::minor),
            ceiling: limits.ceiling.map(Amount::minor),
        }),
        Command::SetStatus(change) => {
            wit::Command::SetStatus(wit::SetStatus { account: id(change.account.0), status: status(change.status) })
        }
        Command::Create(create) => wit::Command::Create(wit::Create {
            id: id(create.id.0),
            kind: kind(create.kind),
            payer: id(create.payer.0),
            payee: id(create.payee.0),
            amount: create.amount.minor(),
            expires_at: create.expires_at.map(|at| at.0),
            key: create.key.map(|key| id(key.0)),
            payable_now: create.payable_now,
            memo: id(create.memo.0),
        }),
        Command::Settle(settle) => wit::Command::Settle(wit::Settle {
            transfer: id(settle.transfer.0),
            action: match settle.action {
                Action::Capture(part) => wit::Action::Capture(part.map(Amount::minor)),
                Action::Release => wit::Action::Release,
                Action::Accept => wit::Action::Accept,
                Action::Decline => wit::Action::Decline,
                Action::Withdraw => wit::Action::Withdraw,
                Action::Expire => wit::Action::Expire,
            },
            memo: id(settle.memo.0),
        }),
        Command::SetWindow(set) => wit::Command::SetWindow(wit::SetWindow {
            account: id(set.account.0),
            direction: direction(set.direction),
            period: period(set.period),
            max_amount: set.max_amount.map(Amount::minor),
            max_count: set.max_count,
            utc_offset: set.offset.minutes(),
        }),
    }
}

fn direction(direction: Direction) -> wit::Direction {
    match direction {
        Direction::Out => wit::Direction::Out,
        Direction::In => wit::Direction::In,
    }
}

fn period(period: Period) -> wit::Period {
    match period {
        Period::Day => wit::Period::Day,
        Period::Week => wit::Period::Week,
        Period::Month => wit::Period::Month,
    }
}

fn status(status: AccountStatus) -> wit::AccountStatus {
    match status {
        AccountStatus::Open => wit::AccountStatus::Open,
        AccountStatus::Frozen => wit::AccountStatus::Frozen,
        AccountStatus::Closed => wit::AccountStatus::Closed,
    }
}

fn kind(kind: TransferKind) -> wit::TransferKind {
    match kind {
        TransferKind::Immediate => wit::TransferKind::Immediate,
        TransferKind::Hold => wit::TransferKind::Hold,
        TransferKind::Request => wit::TransferKind::Request,
    }
}

fn id(id: u128) -> wit::Id {
    let half = |shift: u32| u64::try_from(id >> shift & u128::from(u64::MAX)).expect("64 bits are left");
    wit::Id { high: half(64), low: half(0) }
}

fn account(account: Account) -> wit::Account {
    wit::Account {
        id: id(account.id.0),
        balance: account.balance.minor(),
        held_out: account.held_out.minor(),
        held_in: account.held_in.minor(),
        floor: account.floor.minor(),
        ceiling: account.ceiling.minor(),
        status: status(account.status),
        windowed: account.windowed,
    }
}

fn window(window: Window) -> wit::Window {
    wit::Window {
        account: id(window.account.0),
        direction: direction(window.direction),
        period: period(window.period),
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
        kind: kind(transfer.kind),
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

/// `None` when an amount is out of range, as in the functions below.
pub(super) fn outcome(outcome: wit::Outcome) -> Option<Outcome> {
    Some(match outcome {
        Ok(wit::Receipt::Account(account)) => Ok(Receipt::Account(account_in(&account)?)),
        Ok(wit::Receipt::Transfer(receipt)) => Ok(Receipt::Transfer(TransferReceipt {
            transfer: transfer_in(&receipt.transfer)?,
            payer_balance: Amount::new(receipt.payer_balance)?,
            payee_balance: Amount::new(receipt.payee_balance)?,
        })),
        Ok(wit::Receipt::Repeated(first)) => Ok(Receipt::Repeated(transfer_in(&first)?)),
        Err(rejection) => Err(rejection_in(rejection)?),
    })
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

fn kind_in(kind: wit::TransferKind) -> TransferKind {
    match kind {
        wit::TransferKind::Immediate => TransferKind::Immediate,
        wit::TransferKind::Hold => TransferKind::Hold,
        wit::TransferKind::Request => TransferKind::Request,
    }
}

pub(super) fn account_in(account: &wit::Account) -> Option<Account> {
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

pub(super) fn window_in(window: &wit::Window) -> Option<Window> {
    let max_amount = match window.max_amount {
        Some(max) => Some(Amount::new(max)?),
        None => None,
    };
    Some(Window {
        account: AccountId(id_in(window.account)),
        direction: match window.direction {
            wit::Direction::Out => Direction::Out,
            wit::Direction::In => Direction::In,
        },
        period: match window.period {
            wit::Period::Day => Period::Day,
            wit::Period::Week => Period::Week,
            wit::Period::Month => Period::Month,
        },
        max_amount,
        max_count: window.max_count,
        used_amount: Amount::new(window.used_amount)?,
        used_count: window.used_count,
        began: Date(window.began),
        since: Timestamp(window.since),
        offset: UtcOffset::new(window.utc_offset)?,
    })
}

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

//! The naive model of the ledger: the rules of `ledger-core`'s documentation, told again in the most obvious and slowest way.
//!
//! It keeps nothing but the list of what happened; every balance and reservation is computed from it, from the start, each
//! time it is asked for. A command is decided by collecting *all* facts that stand in its way and answering the one with
//! the lowest code, and a linked group by trying it on a copy. It shares the core's words and none of its decisions.

mod past; // what happened, and what follows from it
mod windows; // what may pass in a period

use ledger_core::{
    Account, AccountId, AccountStatus, Action, Amount, Command, Create, Item, OpenAccount, Outcome, Receipt, Rejection,
    SetLimits, SetStatus, SetWindow, Settle, Timestamp, Transfer, TransferId, TransferKind, TransferReceipt,
    TransferState, Window,
};
use past::{Event, Past};
use std::collections::BTreeMap;

/// A ledger, as the list of what happened in it.
#[derive(Clone, Debug, Default)]
pub struct Model {
    past: Past,
}

impl Model {
    /// Decides a batch, as [`ledger_core::post`] is documented to do.
    pub fn post(&mut self, batch: &[Item], now: Timestamp) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let mut group = Vec::new();
        for item in batch {
            group.push(item.command);
            if !item.linked {
                outcomes.extend(self.post_group(&group, now));
                group.clear();
            }
        }
        outcomes.extend(group.iter().map(|_| Err(Rejection::LinkedOpen)));
        outcomes
    }

    fn post_group(&mut self, group: &[Command], now: Timestamp) -> Vec<Outcome> {
        let mut attempt = self.clone();
        let mut outcomes = Vec::new();
        for (place, command) in group.iter().enumerate() {
            match attempt.decide(command, now) {
                Ok(Some(event)) => {
                    attempt.past.add(event);
                    outcomes.push(Ok(attempt.receipt(command)));
                }
                Ok(None) => outcomes.push(Ok(attempt.repeated(command))),
                Err(rejection) => {
                    self.remember_refusal(command, rejection, now);
                    let mut refused: Vec<Outcome> = group.iter().map(|_| Err(Rejection::LinkedFailed)).collect();
                    refused[place] = Err(rejection);
                    return refused;
                }
            }
        }
        *self = attempt;
        outcomes
    }

    /// A refusal that could turn out otherwise later is remembered for an id that a client may send again. Of a linked
    /// group, only the command that was refused for a reason of its own is remembered.
    fn remember_refusal(&mut self, command: &Command, rejection: Rejection, now: Timestamp) {
        let Command::Create(create) = command else { return };
        if create.key.is_some() && rejection.retryable() && self.past.transfer(create.id).is_none() {
            self.past.add(Event::Began(begun(create, TransferState::Refused(rejection), Amount::ZERO, now)));
        }
    }

    /// Every transfer, as it is now.
    pub fn transfers(&self) -> BTreeMap<TransferId, Transfer> {
        self.past.transfers()
    }

    /// Every account, as it is now, in the order of ids.
    pub fn accounts(&self) -> Vec<Account> {
        self.past.accounts()
    }

    /// Every window, as it is now, in the order of ids, directions and periods.
    pub fn windows(&self) -> Vec<Window> {
        self.past.windows()
    }

    /// What would happen, nothing when the command came before, or why not.
    fn decide(&self, command: &Command, now: Timestamp) -> Result<Option<Event>, Rejection> {
        match command {
            Command::OpenAccount(open) => self.open_account(open).map(Some),
            Command::SetLimits(limits) => self.set_limits(limits).map(Some),
            Command::SetStatus(status) => self.set_status(status).map(Some),
            Command::Create(create) => self.create(create, now),
            Command::Settle(settle) => self.settle(settle, now).map(Some),
            Command::SetWindow(set) => self.set_window(set, now).map(Some),
        }
    }

    fn open_account(&self, open: &OpenAccount) -> Result<Event, Rejection> {
        let mut against = Vec::new();
        if self.past.account(open.account).is_some() {
            against.push(Rejection::AccountExists);
        }
        if open.floor.minor() > 0 || open.ceiling.minor() < 0 {
            against.push(Rejection::LimitsCrossed);
        }
        if open.status == AccountStatus::Closed {
            against.push(Rejection::AccountClosed);
        }
        unless(against, Event::Opened(*open))
    }

    fn set_limits(&self, limits: &SetLimits) -> Result<Event, Rejection> {
        let mut against = Vec::new();
        let now = self.past.account(limits.account);
        let floor = limits.floor.or(now.map(|account| account.floor));
        let ceiling = limits.ceiling.or(now.map(|account| account.ceiling));
        if floor.is_some() && ceiling.is_some() && floor > ceiling {
            against.push(Rejection::LimitsCrossed);
        }
        match now {
            None => against.push(Rejection::AccountNotFound),
            Some(account) if account.status == AccountStatus::Closed => against.push(Rejection::AccountClosed),
            Some(_) => {}
        }
        unless(against, Event::Limited(*limits))
    }

    fn set_status(&self, change: &SetStatus) -> Result<Event, Rejection> {
        let Some(account) = self.past.account(change.account) else { return Err(Rejection::AccountNotFound) };
        let mut against = Vec::new();
        if account.status == AccountStatus::Closed {
            against.push(Rejection::AccountClosed);
        }
        if change.status == AccountStatus::Closed {
            if account.balance.minor() != 0 {
                against.push(Rejection::BalanceNotZero { balance: account.balance });
            }
            if account.held_out.minor() > 0 || account.held_in.minor() > 0 {
                against.push(Rejection::HoldsOutstanding);
            }
        }
        unless(against, Event::Marked(*change))
    }

    fn set_window(&self, set: &SetWindow, now: Timestamp) -> Result<Event, Rejection> {
        let mut against = Vec::new();
        if set.max_amount.is_some_and(|max| max.minor() < 0) {
            against.push(Rejection::LimitsCrossed);
        }
        match self.past.account(set.account) {
            None => against.push(Rejection::AccountNotFound),
            Some(account) if account.status == AccountStatus::Closed => against.push(Rejection::AccountClosed),
            Some(_) => {}
        }
        unless(against, Event::Windowed { set: *set, at: now })
    }

    fn create(&self, create: &Create, now: Timestamp) -> Result<Option<Event>, Rejection> {
        if let Some(first) = self.past.transfer(create.id) {
            let again =
                Transfer { expires_at: counting_expiry(create), ..begun(create, first.state, first.moved, now) };
            return match first.state {
                _ if (Transfer { created_at: first.created_at, ..again }) != first => Err(Rejection::IdReused),
                TransferState::Refused(rejection) => Err(rejection),
                _ => Ok(None),
            };
        }
        let mut against = self.parties_against(create.payer, create.payee);
        if create.amount.minor() <= 0 {
            against.push(Rejection::AmountOutOfRange);
        }
        if create.payer == create.payee {
            against.push(Rejection::SameAccount);
        }
        if counting_expiry(create).is_some_and(|at| at <= now) {
            against.push(Rejection::ExpiryPassed);
        }
        if create.kind != TransferKind::Request || create.payable_now {
            against.extend(self.headroom_against(create.payer, create.payee, create.amount, Reserved::Counts));
            against.extend(windows::against(&self.past, create.payer, create.payee, create.amount, now));
        }
        let (state, moved) = match create.kind {
            TransferKind::Immediate => (TransferState::Posted, create.amount),
            TransferKind::Hold => (TransferState::Held, Amount::ZERO),
            TransferKind::Request => (TransferState::Requested, Amount::ZERO),
        };
        unless(against, Some(Event::Began(begun(create, state, moved, now))))
    }

    fn settle(&self, settle: &Settle, now: Timestamp) -> Result<Event, Rejection> {
        let mut against = Vec::new();
        let part = match settle.action {
            Action::Capture(part) => part,
            _ => None,
        };
        if part.is_some_and(|part| part.minor() <= 0) {
            against.push(Rejection::AmountOutOfRange);
        }
        let Some(transfer) = self.past.transfer(settle.transfer).filter(|known| !is_refused(known)) else {
            against.push(Rejection::TransferNotFound);
            let (state, moved) = (TransferState::Expired, Amount::ZERO);
            return unless(against, Event::Settled { transfer: settle.transfer, state, moved, at: now });
        };
        let late = transfer.expires_at.is_some_and(|at| at <= now);
        against.extend(already(transfer.state));
        let (needs, state) = match settle.action {
            Action::Capture(_) => (Some(TransferKind::Hold), TransferState::Posted),
            Action::Release => (Some(TransferKind::Hold), TransferState::Released),
            Action::Accept => (Some(TransferKind::Request), TransferState::Posted),
            Action::Decline => (Some(TransferKind::Request), TransferState::Declined),
            Action::Withdraw => (Some(TransferKind::Request), TransferState::Withdrawn),
            Action::Expire => (None, TransferState::Expired),
        };
        if needs.is_some_and(|kind| kind != transfer.kind) {
            against.push(if needs == Some(TransferKind::Hold) { Rejection::NotAHold } else { Rejection::NotARequest });
        }
        if settle.action == Action::Expire && !late {
            against.push(Rejection::NotExpired);
        }
        let mut moved = Amount::ZERO;
        if state == TransferState::Posted {
            moved = part.unwrap_or(transfer.amount);
            if late {
                against.push(Rejection::Expired);
            }
            if moved > transfer.amount {
                against.push(Rejection::CaptureExceedsHold { held: transfer.amount });
            }
            // Of a hold, the money is reserved already: only the bare limits can stand in the way.
            let reserved = if transfer.kind == TransferKind::Hold { Reserved::IsThis } else { Reserved::Counts };
            against.extend(self.parties_against(transfer.payer, transfer.payee));
            against.extend(self.headroom_against(transfer.payer, transfer.payee, moved, reserved));
            if transfer.kind == TransferKind::Request {
                against.extend(windows::against(&self.past, transfer.payer, transfer.payee, moved, now));
            }
        }
        unless(against, Event::Settled { transfer: transfer.id, state, moved, at: now })
    }

    /// What payer and payee have against any movement: not there, closed, frozen.
    fn parties_against(&self, payer: AccountId, payee: AccountId) -> Vec<Rejection> {
        let payer = match self.past.account(payer).map(|account| account.status) {
            None => Some(Rejection::PayerNotFound),
            Some(AccountStatus::Closed) => Some(Rejection::PayerClosed),
            Some(AccountStatus::Frozen) => Some(Rejection::PayerFrozen),
            Some(AccountStatus::Open) => None,
        };
        let payee = match self.past.account(payee).map(|account| account.status) {
            None => Some(Rejection::PayeeNotFound),
            Some(AccountStatus::Closed) => Some(Rejection::PayeeClosed),
            Some(AccountStatus::Frozen) => Some(Rejection::PayeeFrozen),
            Some(AccountStatus::Open) => None,
        };
        payer.into_iter().chain(payee).collect()
    }

    /// What the limits have against moving `amount`.
    fn headroom_against(
        &self,
        payer: AccountId,
        payee: AccountId,
        amount: Amount,
        reserved: Reserved,
    ) -> Vec<Rejection> {
        let mut against = Vec::new();
        if let Some(Account { balance, floor, held_out, .. }) = self.past.account(payer) {
            let available = reach(balance.minor() - floor.minor(), held_out, reserved);
            against.extend((amount > available).then_some(Rejection::FloorExceeded { available }));
        }
        if let Some(Account { balance, ceiling, held_in, .. }) = self.past.account(payee) {
            let room = reach(ceiling.minor() - balance.minor(), held_in, reserved);
            against.extend((amount > room).then_some(Rejection::CeilingExceeded { room }));
        }
        against
    }

    fn receipt(&self, command: &Command) -> Receipt {
        let id = match command {
            Command::OpenAccount(OpenAccount { account, .. })
            | Command::SetLimits(SetLimits { account, .. })
            | Command::SetStatus(SetStatus { account, .. })
            | Command::SetWindow(SetWindow { account, .. }) => {
                return Receipt::Account(self.past.account(*account).expect("it was just changed"));
            }
            Command::Create(create) => create.id,
            Command::Settle(settle) => settle.transfer,
        };
        let transfer = self.past.transfer(id).expect("it was just changed");
        let balance = |id| self.past.account(id).expect("transfers have accounts").balance;
        let (payer_balance, payee_balance) = (balance(transfer.payer), balance(transfer.payee));
        Receipt::Transfer(TransferReceipt { transfer, payer_balance, payee_balance })
    }

    fn repeated(&self, command: &Command) -> Receipt {
        match self.receipt(command) {
            Receipt::Transfer(receipt) => Receipt::Repeated(receipt.transfer),
            other => unreachable!("only a transfer is repeated, not {other:?}"),
        }
    }
}

/// Whether other reservations reduce what can move, or the movement is itself what was reserved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reserved {
    Counts,
    IsThis,
}

/// How far a limit lets something move: never more than an amount can be, less what is reserved, at least 0.
fn reach(distance: i64, held: Amount, reserved: Reserved) -> Amount {
    let bare = distance.clamp(0, Amount::MAX.minor());
    amount(match reserved {
        Reserved::Counts => (bare - held.minor()).max(0),
        Reserved::IsThis => bare,
    })
}

fn unless<T>(against: Vec<Rejection>, otherwise: T) -> Result<T, Rejection> {
    against.into_iter().min_by_key(Rejection::code).map_or(Ok(otherwise), Err)
}

fn already(state: TransferState) -> Option<Rejection> {
    match state {
        TransferState::Held | TransferState::Requested | TransferState::Refused(_) => None,
        TransferState::Posted => Some(Rejection::AlreadyPosted),
        TransferState::Released => Some(Rejection::AlreadyReleased),
        TransferState::Declined => Some(Rejection::AlreadyDeclined),
        TransferState::Withdrawn => Some(Rejection::AlreadyWithdrawn),
        TransferState::Expired => Some(Rejection::Expired),
    }
}

fn is_refused(transfer: &Transfer) -> bool {
    matches!(transfer.state, TransferState::Refused(_))
}

fn counting_expiry(create: &Create) -> Option<Timestamp> {
    if create.kind == TransferKind::Immediate { None } else { create.expires_at }
}

fn begun(create: &Create, state: TransferState, moved: Amount, now: Timestamp) -> Transfer {
    let Create { id, kind, payer, payee, amount, memo, .. } = *create;
    Transfer {
        id,
        kind,
        payer,
        payee,
        amount,
        moved,
        state,
        expires_at: counting_expiry(create),
        created_at: now,
        memo,
    }
}

fn amount(minor: i64) -> Amount {
    Amount::new(minor).expect("the ledger's rules keep every amount in range")
}

//! What happened in a modelled ledger, and everything that follows from it. Decides nothing.

use super::windows;
use ledger_core::{
    Account, AccountId, Amount, OpenAccount, SetLimits, SetStatus, SetWindow, Timestamp, Transfer, TransferId,
    TransferState, Window,
};
use std::collections::BTreeMap;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Opened(OpenAccount),
    Limited(SetLimits),
    Marked(SetStatus),
    Windowed { set: SetWindow, at: Timestamp },
    Began(Transfer),
    Settled { transfer: TransferId, state: TransferState, moved: Amount, at: Timestamp },
}

/// The list of what happened. Balances and reservations are computed from it, from the start, each time.
#[derive(Clone, Debug, Default)]
pub(super) struct Past(Vec<Event>);

impl Past {
    pub(super) fn add(&mut self, event: Event) {
        self.0.push(event);
    }

    /// What happened, in order.
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.0.iter()
    }

    /// Every window that limits an account, each as the last movement left it, in the order of the accounts' ids.
    pub(super) fn windows(&self) -> Vec<Window> {
        self.accounts().iter().flat_map(|account| windows::of(self, account.id)).collect()
    }

    /// Every transfer, as it is now.
    pub(super) fn transfers(&self) -> BTreeMap<TransferId, Transfer> {
        let mut transfers = BTreeMap::new();
        for event in &self.0 {
            match event {
                Event::Began(transfer) => {
                    transfers.insert(transfer.id, *transfer);
                }
                Event::Settled { transfer, state, moved, .. } => {
                    let transfer = transfers.get_mut(transfer).expect("only what began is settled");
                    (transfer.state, transfer.moved) = (*state, *moved);
                }
                Event::Opened(_) | Event::Limited(_) | Event::Marked(_) | Event::Windowed { .. } => {}
            }
        }
        transfers
    }

    /// Every account, as it is now, in the order of ids.
    pub(super) fn accounts(&self) -> Vec<Account> {
        let mut ids: Vec<AccountId> = self.0.iter().filter_map(opened).collect();
        ids.sort();
        ids.into_iter().filter_map(|id| self.account(id)).collect()
    }

    pub(super) fn transfer(&self, id: TransferId) -> Option<Transfer> {
        self.transfers().get(&id).copied()
    }

    /// The account: its limits and status from the last word about them, its money from all transfers.
    pub(super) fn account(&self, id: AccountId) -> Option<Account> {
        self.0.iter().filter_map(opened).find(|opened| *opened == id)?;
        let mut account = Account::open(id, Amount::ZERO, Amount::ZERO);
        for event in &self.0 {
            match event {
                Event::Opened(open) if open.account == id => {
                    (account.floor, account.ceiling, account.status) = (open.floor, open.ceiling, open.status);
                }
                Event::Limited(limits) if limits.account == id => {
                    account.floor = limits.floor.unwrap_or(account.floor);
                    account.ceiling = limits.ceiling.unwrap_or(account.ceiling);
                }
                Event::Marked(change) if change.account == id => account.status = change.status,
                _ => {}
            }
        }
        let transfers = self.transfers();
        let sum = |part: fn(&Transfer) -> Amount, side: fn(&Transfer) -> AccountId| -> i64 {
            transfers.values().filter(|transfer| side(transfer) == id).map(|transfer| part(transfer).minor()).sum()
        };
        let moved = |transfer: &Transfer| transfer.moved;
        account.balance = amount(sum(moved, |transfer| transfer.payee) - sum(moved, |transfer| transfer.payer));
        account.held_out = amount(sum(held, |transfer| transfer.payer));
        account.held_in = amount(sum(held, |transfer| transfer.payee));
        account.windowed = windows::any(self, id);
        Some(account)
    }
}

fn held(transfer: &Transfer) -> Amount {
    if transfer.state == TransferState::Held { transfer.amount } else { Amount::ZERO }
}

fn opened(event: &Event) -> Option<AccountId> {
    if let Event::Opened(open) = event { Some(open.account) } else { None }
}

fn amount(minor: i64) -> Amount {
    Amount::new(minor).expect("the ledger's rules keep every amount in range")
}

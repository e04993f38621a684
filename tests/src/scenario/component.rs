//! Decides with the component that the server embeds, and keeps between batches what the host would: all rows, and the refusals of keyed ids.

use super::{Answering, Decide};
use hesabu::engine::{Book, COMPONENT, Engine};
use ledger_core::{
    Account, AccountId, Amount, Command, Create, Direction, Item, Outcome, Period, Receipt, Rejection, Timestamp,
    Transfer, TransferId, TransferKind, TransferState, Window,
};
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::LazyLock;

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::load(COMPONENT).expect("the component was built with this program"));

/// What a database would hold.
#[derive(Debug, Default)]
pub(super) struct Component {
    accounts: BTreeMap<AccountId, Account>,
    windows: BTreeMap<(AccountId, Direction, Period), Window>,
    transfers: BTreeMap<TransferId, Transfer>,
}

impl Component {
    fn book(&self) -> Book {
        Book {
            accounts: self.accounts.values().copied().collect(),
            windows: self.windows.values().copied().collect(),
            transfers: self.transfers.values().copied().collect(),
        }
    }

    fn keep(&mut self, command: &Command, outcome: &Outcome, now: Timestamp) {
        match (command, outcome) {
            (_, Ok(Receipt::Transfer(receipt))) => {
                self.transfers.insert(receipt.transfer.id, receipt.transfer);
            }
            // Says nothing of this command: another one of its group was the reason.
            (_, Err(Rejection::LinkedFailed)) => {}
            (Command::Create(create), Err(rejection)) if create.key.is_some() && rejection.retryable() => {
                self.transfers.entry(create.id).or_insert_with(|| refused(create, *rejection, now));
            }
            _ => {}
        }
    }
}

impl Decide for Component {
    fn name(&self) -> &'static str {
        "component"
    }

    fn post(&mut self, batch: Vec<Item>, now: Timestamp) -> Answering<'_, Vec<Outcome>> {
        Box::pin(async move {
            let posted = ENGINE.post(self.book(), batch.clone(), now).await.expect("the component answers");
            self.accounts.extend(posted.accounts.iter().map(|account| (account.id, *account)));
            for window in posted.windows {
                self.windows.insert((window.account, window.direction, window.period), window);
            }
            self.windows.retain(|_, window| window.limits());
            for (item, outcome) in batch.iter().zip(&posted.outcomes) {
                self.keep(&item.command, outcome, now);
            }
            posted.outcomes
        })
    }

    fn preview(&mut self, command: Command, now: Timestamp) -> Answering<'_, Outcome> {
        Box::pin(async move { ENGINE.preview(self.book(), command, now).await.expect("the component answers") })
    }

    fn account(&mut self, id: AccountId) -> Answering<'_, Option<Account>> {
        Box::pin(ready(self.accounts.get(&id).copied()))
    }

    fn transfer(&mut self, id: TransferId) -> Answering<'_, Option<Transfer>> {
        Box::pin(ready(self.transfers.get(&id).copied()))
    }
}

fn refused(create: &Create, rejection: Rejection, now: Timestamp) -> Transfer {
    let Create { id, kind, payer, payee, amount, memo, .. } = *create;
    let expires_at = create.expires_at.filter(|_| kind != TransferKind::Immediate);
    let state = TransferState::Refused(rejection);
    Transfer { id, kind, payer, payee, amount, moved: Amount::ZERO, state, expires_at, created_at: now, memo }
}

//! Decides with the core, in this process.

use super::{Answering, Decide};
use ledger_core::{Account, AccountId, Book, Command, Item, Outcome, Timestamp, Transfer, TransferId, post, preview};
use std::future::ready;

/// One book for the whole scenario.
#[derive(Debug)]
pub(super) struct Native(Book);

impl Default for Native {
    fn default() -> Native {
        Native(Book::new([]))
    }
}

impl Decide for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn post(&mut self, batch: Vec<Item>, now: Timestamp) -> Answering<'_, Vec<Outcome>> {
        Box::pin(ready(post(&mut self.0, &batch, now)))
    }

    fn preview(&mut self, command: Command, now: Timestamp) -> Answering<'_, Outcome> {
        Box::pin(ready(preview(&self.0, command, now)))
    }

    fn account(&mut self, id: AccountId) -> Answering<'_, Option<Account>> {
        Box::pin(ready(self.0.account(id).copied()))
    }

    fn transfer(&mut self, id: TransferId) -> Answering<'_, Option<Transfer>> {
        Box::pin(ready(self.0.transfer(id).copied()))
    }
}

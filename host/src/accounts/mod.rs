//! Accounts: balances, histories, and the transfers that members propose to each other. Moving money is `posting`'s.
//!
//! Invariant: nobody sees or settles a transfer that is not theirs; every function that acts takes who acts.

mod chain; // walking along an account's past
mod history; // pages of it
mod statement; // balances at an instant, and what moved in between
mod proposals; // propose, accept, reject, cancel
mod standing; // which accounts have so much
mod closing; // taking entities and people away
mod overdue; // proposals that nobody answers
mod reversal; // taking back what is completed
mod batch; // many at once
mod import; // rows of a file

pub use batch::{
    AMOUNT_MAX, Decided, KEY_MAX, Mode, ORDERS_MAX, Order, Placed, Refusal, Sender, TEXT_MAX, is_amount, is_key,
    parse_amount, place,
};
pub use closing::{ClosingError, delete_entity, delete_person};
pub use history::{Listing, TransferFilter, TransferRecord, TransferStatus, ledger_page, page, pending, transfer};
pub use import::{Form, ImportError, Keys, Reading, Row, post_rows};
pub use overdue::cancel_overdue;
pub use proposals::{
    Answer, Direction, Immediate, Proposal, ProposalError, Reply, act, preview, propose, transfer_at_once,
};
pub use reversal::{Links, Reversal, ReversalError, links, reverse};
pub use standing::{Least, standing};
pub use statement::{Movement, Period, Statement, balance_at, statement};

use crate::posting::Posting;
use crate::store::Error;
use ledger_core::{Account, AccountId, LedgerId};
use std::collections::{BTreeMap, HashMap};

/// What an account has now, and within which limits.
///
/// # Errors
/// When the database fails, or there is no such account.
pub async fn account(posting: &Posting, ledger: LedgerId, account: AccountId) -> Result<Account, Error> {
    let found = posting.account(ledger, account).await?;
    found.ok_or_else(|| Error::Corrupt("an entity has no account".into()))
}

/// What each of these accounts has now, and within which limits. None comes twice.
///
/// # Errors
/// When the database fails, or there is no such account.
pub async fn accounts(
    posting: &Posting,
    accounts: impl IntoIterator<Item = (LedgerId, AccountId)>,
) -> Result<HashMap<AccountId, Account>, Error> {
    let mut by_ledger: BTreeMap<LedgerId, Vec<AccountId>> = BTreeMap::new();
    for (ledger, account) in accounts {
        by_ledger.entry(ledger).or_default().push(account);
    }
    let (mut found, mut sought) = (HashMap::new(), 0);
    for (ledger, ids) in by_ledger {
        sought += ids.len();
        found.extend(posting.accounts(ledger, &ids).await?.into_iter().map(|account| (account.id, account)));
    }
    if found.len() == sought { Ok(found) } else { Err(Error::Corrupt("an entity has no account".into())) }
}

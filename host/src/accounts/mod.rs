//! Accounts: balances, histories, and the transfers that members propose to each other. Moving money is `posting`'s.
//!
//! Invariant: nobody sees or settles a transfer that is not theirs; every function that acts takes who acts.

mod history; // pages of an account's past
mod proposals; // propose, accept, reject, cancel

pub use history::{Listing, TransferFilter, TransferRecord, TransferStatus, ledger_page, page, pending, transfer};
pub use proposals::{
    Answer, Direction, Immediate, Proposal, ProposalError, Reply, act, preview, propose, transfer_at_once,
};

use crate::store::{Db, Error};
use ledger_core::{AccountId, Amount, LedgerId};

/// What an account has, and within which limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Balance {
    /// What it owns or owes.
    pub balance: Amount,
    /// Lowest balance allowed.
    pub floor: Amount,
    /// Highest balance allowed.
    pub ceiling: Amount,
}

/// What an account has now.
///
/// # Errors
/// When the database fails, or there is no such account.
pub async fn balance(db: &Db, ledger: LedgerId, account: AccountId) -> Result<Balance, Error> {
    let sql = "select balance, floor, ceiling from account where ledger_id = $1 and account_id = $2";
    let row = db.fetch_optional(sql, vec![ledger.0.into(), account.0.into()]).await?;
    let row = row.ok_or_else(|| Error::Corrupt("an entity has no account".into()))?;
    let amount = |column: &str| {
        Amount::new(row.int(column)?).ok_or_else(|| Error::Corrupt(format!("an account's {column} is no amount")))
    };
    Ok(Balance { balance: amount("balance")?, floor: amount("floor")?, ceiling: amount("ceiling")? })
}

//! Which entities have accounts that stand so high: for administrators who look for them.

use crate::directory::{Register, RegisterFilter};
use crate::posting::Posting;
use crate::store::Error;
use ledger_core::{Account, Amount};

/// Entities that are looked at together.
const TOGETHER: i64 = 500;

/// What an account must have at least; what is `None` is not asked.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Least {
    /// As a balance, which may be below zero.
    pub balance: Option<Amount>,
    /// As its ceiling.
    pub ceiling: Option<Amount>,
    /// As its credit line: how far below zero it may go, as a positive amount.
    pub credit_line: Option<Amount>,
}

impl Least {
    /// Whether anything is asked.
    pub fn is_asked(&self) -> bool {
        *self != Least::default()
    }

    fn has(&self, account: &Account) -> bool {
        let enough = |wanted: Option<Amount>, has: Amount| wanted.is_none_or(|wanted| has >= wanted);
        let limits = enough(self.ceiling, account.ceiling) && enough(self.credit_line, account.floor.negated());
        limits && enough(self.balance, account.balance)
    }
}

/// A page of the entities that a filter lets through and whose accounts have that, oldest first, and how many there are in all. Accounts count
/// as they stand now, and rows of accounts may lag behind: all entities are gone through.
///
/// # Errors
/// When the database fails, or an entity has no account.
pub async fn standing(
    posting: &Posting,
    filter: &RegisterFilter,
    least: Least,
    offset: i64,
    limit: i64,
) -> Result<(Vec<u128>, i64), Error> {
    let register = Register::of(posting.db(), filter).await?;
    let (mut found, mut last) = (vec![], 0);
    loop {
        let entities = register.after(last, TOGETHER).await?;
        let Some(end) = entities.last() else { break };
        last = end.entity;
        let accounts = super::accounts(posting, entities.iter().map(|entity| (entity.ledger, entity.account))).await?;
        let has = |account| accounts.get(account).is_some_and(|account| least.has(account));
        found.extend(entities.iter().filter(|entity| has(&entity.account)).map(|entity| entity.entity));
    }
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let (offset, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or_default());
    Ok((found.into_iter().skip(offset).take(limit).collect(), total))
}

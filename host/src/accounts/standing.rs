//! Which entities have accounts that stand so high: for administrators who look for them.

use crate::parties::Entity;
use crate::posting::Posting;
use crate::store::Error;
use ledger_core::Amount;

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
}

/// Those of these entities whose accounts have that, as they stand now: rows of accounts may lag behind.
///
/// # Errors
/// When the database fails.
pub async fn standing(posting: &Posting, entities: Vec<Entity>, least: Least) -> Result<Vec<Entity>, Error> {
    let mut found = vec![];
    for entity in entities {
        let account = super::account(posting, entity.ledger, entity.account).await?;
        let enough = |wanted: Option<Amount>, has: Amount| wanted.is_none_or(|wanted| has >= wanted);
        let limits = enough(least.ceiling, account.ceiling) && enough(least.credit_line, account.floor.negated());
        if limits && enough(least.balance, account.balance) {
            found.push(entity);
        }
    }
    Ok(found)
}
